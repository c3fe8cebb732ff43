// trim_offsets: the spans of tokens without the white space at their ends, so that a word's span is that of its
// letters.
//
// Counts characters of the token's text, not of the text that its span covers; a space that was put before a word and
// has no place of its own is counted all the same, except where the option add_prefix_space says not to.
// Thread-safety: pure functions.
// Source: Hugging Face `tokenizers`, pre_tokenizers::byte_level::process_offsets.
#ifndef BERTHA_TOKENIZER_TRIM_OFFSETS_H_
#define BERTHA_TOKENIZER_TRIM_OFFSETS_H_

#include <cstddef>

#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

/// White space characters at the ends of a token's text; of one that has nothing else, all of them twice.
struct EndSpaces {
  size_t leading, trailing;

  /// Of a token that is this part of a text, where white space other than the space is spelled in the byte alphabet.
  static EndSpaces OfPart(absl::string_view part) {
    // Most have one space in front, or none: which of the two costs no branch, nor does their size.
    if (!part.empty() && part[part.size() > 1] != ' ' && part.back() != ' ') return {size_t{part[0] == ' '}, 0};
    EndSpaces spaces = {0, 0};
    while (spaces.leading < part.size() && part[spaces.leading] == ' ') ++spaces.leading;
    while (spaces.trailing < part.size() && part[part.size() - 1 - spaces.trailing] == ' ') ++spaces.trailing;
    return spaces;
  }
  /// Of an added token that stands like this in a text.
  static EndSpaces OfAdded(absl::string_view token);
};

/// How one post-processor trims.
struct OffsetTrim {
  /// A single space at the begin of a text stays, since add_prefix_space may have put it there.
  bool add_prefix_space;

  /// `is_first`: the token is the first one of its window.
  Span Chars(const Span& span, EndSpaces spaces, bool is_first) const;
  /// The same for a span of bytes of `text`.
  Span Bytes(const Span& span, EndSpaces spaces, bool is_first, absl::string_view text) const {
    const bool is_short = spaces.leading <= 1 && spaces.trailing == 0 && span.begin < span.end;
    // Without a branch again.
    if (is_short && ((spaces.leading == 0) | IsAscii(text[span.begin]))) {
      return {span.begin + Leading(span, spaces, is_first), span.end};
    }
    return BytesOfAny(span, spaces, is_first, text);
  }

 private:
  Span BytesOfAny(const Span& span, EndSpaces spaces, bool is_first, absl::string_view text) const;
  size_t Leading(const Span& span, const EndSpaces& spaces, bool is_first) const {
    const bool may_be_added = add_prefix_space && (is_first || span.begin == 0) && spaces.leading == 1;
    return may_be_added ? 0 : spaces.leading;
  }
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TRIM_OFFSETS_H_
