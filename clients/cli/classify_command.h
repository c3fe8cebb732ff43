// `bertha classify`: texts in, labels out.
#ifndef BERTHA_CLIENTS_CLI_CLASSIFY_COMMAND_H_
#define BERTHA_CLIENTS_CLI_CLASSIFY_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>

#include "clients/cli/run_texts.h"

namespace bertha::cli {

struct ClassifyOptions {
  enum class Format { kView, kJson, kCsv };

  RunOptions run;
  uint32_t top_k = 0;
  float threshold = 0;
  bool logits = false;
  std::string pair_separator;
  std::optional<std::string> pair;
  Format format = Format::kView;
};

/// Returns the exit code.
int RunClassify(const ClassifyOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_CLASSIFY_COMMAND_H_
