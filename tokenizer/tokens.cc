#include "tokenizer/tokens.h"

#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

void Tokens::Start(absl::string_view raw_text, const EncodeOptions& options, bool trims_offsets) {
  text = raw_text;
  ids.clear();
  offsets.clear();
  char_offsets.clear();
  spaces.clear();
  word_ids.clear();
  texts.clear();
  words = 0;
  wants_offsets = options.offsets || options.char_offsets;
  wants_spaces = wants_offsets && trims_offsets;
  wants_word_ids = options.word_ids;
  wants_texts = options.tokens;
}

void Tokens::AddWord(int32_t id, absl::string_view token, const ByteRange& source) {
  ids.push_back(id);
  if (wants_offsets) offsets.push_back({source.begin, source.end});
  if (wants_spaces) spaces.push_back(EndSpaces::OfAdded(token));
  if (wants_word_ids) word_ids.push_back(static_cast<int32_t>(words));
  if (wants_texts) texts.emplace_back(token.data(), token.size());
  ++words;
}

void Tokens::AddRanges(const std::vector<ByteRange>& ranges, const std::vector<ByteRange>& words_of_text,
                       SourceMap& source) {
  if (wants_offsets) {
    offsets.resize(offsets.size() + ranges.size());
    Span* to = offsets.data() + (offsets.size() - ranges.size());
    for (const ByteRange& range : ranges) {
      const ByteRange from = source.SourceOf(range);
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

void Tokens::AddSpaces(const std::vector<ByteRange>& ranges, absl::string_view model_text) {
  for (const ByteRange& range : ranges) spaces.push_back(EndSpaces::OfPart(range.of(model_text)));
}

void Tokens::CountCharacters() {
  char_offsets = offsets;
  if (FindNonAscii(text) == text.size()) return;
  characters_before.resize(text.size() + 1);
  size_t characters = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    characters_before[at] = characters;
    characters += IsUtf8Start(text[at]);
  }
  characters_before[text.size()] = characters;
  for (Span& span : char_offsets) span = {characters_before[span.begin], characters_before[span.end]};
}

}  // namespace bertha::tokenizer
