// Which model a request is for: NAME, NAME:VERSION or NAME:LABEL. Pure.
#ifndef BERTHA_CLIENTS_CLI_MODEL_CHOICE_H_
#define BERTHA_CLIENTS_CLI_MODEL_CHOICE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::cli {

struct ModelChoice {
  /// Empty: the server's default model.
  std::string name;
  /// 0: the newest.
  int64_t version = 0;
  /// Empty: none. Never together with a version.
  std::string label;
};

/// What follows the first colon is a version if it is all digits, else a label; a name has no colon. Without a name it
/// is the default model's.
absl::StatusOr<ModelChoice> ParseModelChoice(absl::string_view text);

/// The server's "the model "dishes" does token-classification; call TagTokens, not Classify" with the command instead
/// of the RPC: "...; use `bertha tag`". Other messages as they are.
std::string WithCommand(absl::string_view message);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_MODEL_CHOICE_H_
