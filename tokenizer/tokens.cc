#include "tokenizer/tokens.h"

#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

namespace {

/// Counts the characters before places that mostly move on.
class CharacterCounter {
 public:
  explicit CharacterCounter(absl::string_view text) : text_(text) {}

  size_t CountBefore(size_t place) {
    for (; at_ < place; ++at_) count_ += IsUtf8Start(text_[at_]);
    for (; at_ > place; --at_) count_ -= IsUtf8Start(text_[at_ - 1]);
    return count_;
  }

 private:
  const absl::string_view text_;
  size_t at_ = 0, count_ = 0;
};

}  // namespace

void Tokens::Clear(const EncodeOptions& options) {
  ids.clear();
  offsets.clear();
  char_offsets.clear();
  word_ids.clear();
  texts.clear();
  words = 0;
  wants_offsets = options.offsets || options.char_offsets;
  wants_word_ids = options.word_ids;
  wants_texts = options.tokens;
}

void Tokens::AddWord(int32_t id, absl::string_view text, const ByteRange& source) {
  ids.push_back(id);
  if (wants_offsets) offsets.push_back({source.begin, source.end});
  if (wants_word_ids) word_ids.push_back(static_cast<int32_t>(words));
  if (wants_texts) texts.emplace_back(text.data(), text.size());
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

void Tokens::CountCharacters(absl::string_view text) {
  char_offsets = offsets;
  if (FindNonAscii(text) == text.size()) return;
  CharacterCounter counter(text);
  for (Span& span : char_offsets) {
    const size_t begin = counter.CountBefore(span.begin);
    span = {begin, counter.CountBefore(span.end)};
  }
}

}  // namespace bertha::tokenizer
