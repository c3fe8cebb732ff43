// The answer of `bertha models` as a table or as JSON lines. Pure.
#ifndef BERTHA_CLIENTS_CLI_MODELS_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_MODELS_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "clients/cli/row.h"

namespace bertha::cli {

struct ModelEntry {
  Model model;
  /// "SERVING", "LOADING" or "FAILED".
  std::string state;
  /// Why it was refused.
  std::string reason;
  std::string family;
  std::string task;
  std::vector<std::string> labels;
  uint32_t max_length = 0;
  bool accepts_pairs = false;
  float probe_max_abs_diff = 0;
  uint32_t probe_count = 0;
  bool is_default = false;
  /// Such as "stable".
  std::vector<std::string> version_labels;
  /// Why a newer package in its place was refused; empty if there is none.
  std::string refused_update;
  /// Why health says NOT_SERVING of it although it is loaded; empty if it does not.
  std::string unhealthy;
  /// Why faster engines and numeric types do not compute it: "int8: ...".
  std::vector<std::string> refused_engines;
  /// Numbers of a vector; 0 if it makes none.
  uint32_t dimension = 0;
  uint64_t weight_bytes = 0;
};

/// Ends with a line that says what `*` means, or that there are no models.
std::string ModelsTable(absl::Span<const ModelEntry> models);

/// One object a line.
std::string ModelsJson(absl::Span<const ModelEntry> models);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_MODELS_OUTPUT_H_
