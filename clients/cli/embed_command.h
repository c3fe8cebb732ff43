// `bertha embed`: texts in, vectors out.
#ifndef BERTHA_CLIENTS_CLI_EMBED_COMMAND_H_
#define BERTHA_CLIENTS_CLI_EMBED_COMMAND_H_

#include <optional>
#include <string>

#include "clients/cli/run_texts.h"

namespace bertha::cli {

struct EmbedOptions {
  /// How the vectors of tokens become that of the text. kModel: as the model's package says; kNone: not at all.
  enum class Pooling { kModel, kMean, kCls, kMax, kClsMean, kLast, kNone };

  RunOptions run;
  Pooling pooling = Pooling::kModel;
  /// Unset: as the model's package says.
  std::optional<bool> normalize;
  bool json = false;
  /// Path of a NumPy file; empty: none.
  std::string npy;
};

/// Returns the exit code.
int RunEmbed(const EmbedOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_EMBED_COMMAND_H_
