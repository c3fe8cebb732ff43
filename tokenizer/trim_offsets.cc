#include "tokenizer/trim_offsets.h"

#include <algorithm>

#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

/// White space, or what stands for the space in the byte alphabet.
bool IsSpace(char32_t cp) { return cp == 0x120 || (unicode::ClassOf(cp) & unicode::kWhitespace) != 0; }

}  // namespace

EndSpaces EndSpaces::OfAdded(absl::string_view token) {
  EndSpaces spaces = {0, 0};
  for (size_t at = 0; at < token.size() && IsSpace(DecodeUtf8(token, &at));) ++spaces.leading;
  for (size_t end = token.size(); end > 0 && IsSpace(DecodeUtf8Before(token, end, &end));) ++spaces.trailing;
  return spaces;
}

Span OffsetTrim::Chars(const Span& span, EndSpaces spaces, bool is_first) const {
  const size_t begin = std::min(span.begin + Leading(span, spaces, is_first), span.end);
  if (span.end < spaces.trailing) return {begin, span.end};
  return {begin, std::max(span.end - spaces.trailing, begin)};
}

Span OffsetTrim::BytesOfAny(const Span& span, EndSpaces spaces, bool is_first, absl::string_view text) const {
  size_t begin = span.begin;
  for (size_t left = Leading(span, spaces, is_first); left > 0 && begin < span.end; --left) DecodeUtf8(text, &begin);
  size_t end = span.end;
  for (size_t left = spaces.trailing; left > 0; --left) {
    if (end == 0) return {begin, span.end};  // there are not so many characters before it
    DecodeUtf8Before(text, end, &end);
  }
  return {begin, std::max(end, begin)};
}

}  // namespace bertha::tokenizer
