#include "tokenizer/tokens.h"

#include <utility>

#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

void Tokens::Clear(const EncodeOptions& options) {
  ids.clear();
  offsets.clear();
  char_offsets.clear();
  word_ids.clear();
  words = 0;
  wants_offsets = options.offsets || options.char_offsets;
  wants_word_ids = options.word_ids;
}

void Tokens::AddWord(int32_t id, const ByteRange& source) {
  ids.push_back(id);
  if (wants_offsets) offsets.push_back({source.begin, source.end});
  if (wants_word_ids) word_ids.push_back(static_cast<int32_t>(words));
  ++words;
}

void Tokens::AddRanges(const std::vector<ByteRange>& ranges, const std::vector<ByteRange>& words_of_text, size_t begin,
                       Alignment::Reader& source) {
  if (wants_offsets) {
    offsets.resize(offsets.size() + ranges.size());
    Span* to = offsets.data() + (offsets.size() - ranges.size());
    for (const ByteRange& range : ranges) {
      const ByteRange from = source.SourceOf({begin + range.begin, begin + range.end});
      *to++ = {from.begin, from.end};
    }
  }
  if (wants_word_ids) {
    word_ids.resize(word_ids.size() + ranges.size());
    int32_t* to = word_ids.data() + (word_ids.size() - ranges.size());
    size_t word = 0;
    for (const ByteRange& range : ranges) {
      while (words_of_text[word].end < range.end) ++word;
      *to++ = static_cast<int32_t>(words + word);
    }
  }
  words += words_of_text.size();
}

void Tokens::CountCharacters(absl::string_view text) {
  char_offsets = offsets;
  size_t at = FindNonAscii(text);
  if (at == text.size()) return;
  size_t characters = at;  // before `at`
  for (Span& span : char_offsets) {
    if (span.end <= at && characters == at) continue;  // still in the ASCII at the start
    // Spans may overlap, where one character became several tokens; then the count goes back.
    if (span.begin < at) {
      characters -= CountCodePoints(ByteRange{span.begin, at}.of(text));
    } else {
      characters += CountCodePoints(ByteRange{at, span.begin}.of(text));
    }
    const size_t first =
        std::exchange(characters, characters + CountCodePoints(ByteRange{span.begin, span.end}.of(text)));
    at = span.end;
    span = {first, characters};
  }
}

}  // namespace bertha::tokenizer
