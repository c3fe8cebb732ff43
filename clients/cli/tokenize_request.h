// One line of `bertha tokenize --jsonl`: what to tokenize, and how.
//
// A line is a JSON object (RFC 8259) of {"text": string, "pair"?: string, "max_length"?: integer, "stride"?: integer,
// "truncation"?: {"strategy"?: "longest_first" | "only_first" | "only_second", "direction"?: "right" | "left"}}: the
// names and values of the Python library `tokenizers`. null stands for a missing value, as None does there. What that
// leaves open is refused: other keys, and the same key twice, of which RFC 8259 says only that programs differ.
//
// Pure; linear in the line, whatever it holds.
#ifndef BERTHA_CLIENTS_CLI_TOKENIZE_REQUEST_H_
#define BERTHA_CLIENTS_CLI_TOKENIZE_REQUEST_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace bertha::cli {

struct TokenizeRequest {
  std::string text;
  std::optional<std::string> pair;
  /// Most tokens, special ones included. Unset: nothing is cut, and the rest is not looked at.
  std::optional<size_t> max_length;
  size_t stride = 0;
  tokenizer::TruncationStrategy strategy = tokenizer::TruncationStrategy::kLongestFirst;
  tokenizer::TruncationSide side = tokenizer::TruncationSide::kRight;
};

/// INVALID_ARGUMENT says what is wrong, and at which byte or key.
absl::StatusOr<TokenizeRequest> ParseTokenizeRequest(absl::string_view line);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_TOKENIZE_REQUEST_H_
