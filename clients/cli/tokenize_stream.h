// `bertha tokenize` for machines: one JSON line out for each request in, in order, whatever the request is.
//
// Thread-compatible. Keeps its memory from one text to the next.
#ifndef BERTHA_CLIENTS_CLI_TOKENIZE_STREAM_H_
#define BERTHA_CLIENTS_CLI_TOKENIZE_STREAM_H_

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "clients/cli/line_reader.h"
#include "clients/cli/tokenize_request.h"
#include "tokenizer/tokenizer.h"

namespace bertha::cli {

/// Longer lines are answered with an error and never held in memory. A token of one byte takes 80 bytes, and 60 more in
/// its answer.
constexpr size_t kMaxRequestBytes = 32 << 20;

/// Tokenizes as a request says, with all that a person or the JSON lines show.
class RequestEncoder {
 public:
  /// Most tokens of all overflow windows of a text together: a few bytes of options could ask for the square of the
  /// text.
  static constexpr size_t kMaxOverflowTokens = 16 << 20;

  explicit RequestEncoder(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// INVALID_ARGUMENT if a text is not UTF-8 or cannot be cut as the request says. The results are then unspecified.
  absl::Status Encode(const TokenizeRequest& request);

  const tokenizer::Encoding& encoding() const { return encoding_; }
  const tokenizer::EncodingList& overflow() const { return overflow_; }

  /// Of the tokens in encoding(), special ones not counted, how many are of the request's first text. For a pair this
  /// tokenizes again; the first text must come first in the post-processor's template.
  size_t FirstTokens(const TokenizeRequest& request);

 private:
  size_t CountTokens(absl::string_view text);

  const tokenizer::Tokenizer& tokenizer_;
  tokenizer::Scratch scratch_;
  tokenizer::Encoding encoding_;
  tokenizer::EncodingList overflow_;
};

/// Appends the answer to a line: tokenize_request.h says what it may be, encoding_json.h what comes out.
void AnswerTokenizeLine(absl::string_view line, RequestEncoder& encoder, std::string* out);

/// Answers all lines. `write` gets large blocks, but nothing is held back while the other end waits for it. Returns
/// when the input ends: OK, or why it cannot be read on.
absl::Status TokenizeStream(const tokenizer::Tokenizer& tokenizer, LineReader& lines,
                            const std::function<void(absl::string_view)>& write);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_TOKENIZE_STREAM_H_
