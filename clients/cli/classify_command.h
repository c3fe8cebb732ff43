// `bertha classify`: texts in, labels out, in order, with several calls in flight.
#ifndef BERTHA_CLIENTS_CLI_CLASSIFY_COMMAND_H_
#define BERTHA_CLIENTS_CLI_CLASSIFY_COMMAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bertha::cli {

enum class Format { kTable, kJson, kCsv };
enum class Truncation { kRight, kLeft, kError };

struct ClassifyOptions {
  std::string address = "localhost:8001";
  /// Texts of the command line. None, or only "-": lines of standard input.
  std::vector<std::string> texts;
  /// Path of a file whose lines are the texts; "-" is standard input.
  std::optional<std::string> file;
  std::string model;
  int64_t model_version = 0;
  uint32_t top_k = 0;
  float threshold = 0;
  bool logits = false;
  Truncation truncation = Truncation::kRight;
  std::string pair_separator;
  std::optional<std::string> pair;
  /// For one call with its retries.
  double timeout_seconds = 30;
  /// Inputs of one call.
  size_t batch = 32;
  /// Calls at once.
  size_t in_flight = 4;
  Format format = Format::kTable;
};

/// Returns the exit code.
int RunClassify(const ClassifyOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_CLASSIFY_COMMAND_H_
