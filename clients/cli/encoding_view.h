// Encodings for people: the text with its tokens side by side in alternating colours, a table of the tokens, what was
// cut off, and how much of it all there was.
//
// Pure: every method returns what to print, as UTF-8. Nothing in a text or a token can drive the terminal. Not
// thread-safe.
#ifndef BERTHA_CLIENTS_CLI_ENCODING_VIEW_H_
#define BERTHA_CLIENTS_CLI_ENCODING_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "clients/cli/tokenize_request.h"
#include "tokenizer/tokenizer.h"

namespace bertha::cli {

/// One text and what became of it.
struct Tokenized {
  const TokenizeRequest& request;
  const tokenizer::Encoding& encoding;  ///< with everything that EncodeOptions can ask for
  const tokenizer::EncodingList& overflow;
  /// How many tokens of `encoding`, special ones not counted, belong to the first text of a pair.
  size_t first_tokens = 0;
  /// Of tokenizing, in microseconds.
  double time_us = 0;
};

class EncodingView {
 public:
  /// `unknown_ids`: ids that stand for what the vocabulary does not have.
  EncodingView(bool color, std::vector<int32_t> unknown_ids) : color_(color), unknown_ids_(std::move(unknown_ids)) {}

  std::string Show(const Tokenized& tokenized);
  std::string ShowError(const absl::Status& error) const;
  /// After the last text: the sums, if there was more than one.
  std::string End() const;

 private:
  enum class Kind { kOrdinary, kSpecial, kUnknown, kContinuation };
  struct Sums {
    uint64_t texts = 0;
    uint64_t shown = 0;  ///< of `tokens`; the others were cut off
    uint64_t tokens = 0;
    uint64_t special = 0, unknown = 0;  ///< of those shown
    uint64_t bytes = 0;
    double time_us = 0;

    void Add(const Sums& other);
  };

  std::vector<Kind> KindsOf(const tokenizer::Encoding& encoding) const;
  std::string MarkedTexts(const Tokenized& tokenized, const std::vector<Kind>& kinds) const;
  std::string Marked(absl::string_view text, const tokenizer::Encoding& encoding, const std::vector<Kind>& kinds,
                     size_t skip, size_t count) const;
  std::string Table(const tokenizer::Encoding& encoding, const std::vector<Kind>& kinds) const;
  std::string Window(size_t number, const tokenizer::Encoding& window) const;
  std::string Summary(const Sums& sums) const;
  std::string Paint(absl::string_view escape, absl::string_view text) const;

  const bool color_;
  const std::vector<int32_t> unknown_ids_;
  Sums all_;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ENCODING_VIEW_H_
