#include "tokenizer/tokens.h"

#include <algorithm>
#include <cstring>

#include "tokenizer/byte_block.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

namespace {

/// A bit for each byte, set where it starts a character; and some more.
void MarkCharacters(absl::string_view text, RankedBits& starts) {
  starts.Clear();
  for (size_t at = 0; at <= text.size(); at += RankedBits::kWordBits) {
    char block[RankedBits::kWordBits] = {};
    const size_t size = std::min(text.size() - at, RankedBits::kWordBits);
    std::memcpy(block, text.data() + at, size);
    uint64_t bits = 0;
    for (size_t i = 0; i < RankedBits::kWordBits; i += 16) bits |= uint64_t{StartCharacters(block + i)} << i;
    starts.Append(bits);
  }
}

}  // namespace

void Tokens::Start(absl::string_view raw_text, const EncodeOptions& options, bool trims_offsets) {
  text = raw_text;
  ids.clear();
  offsets.clear();
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
  if (wants_offsets) AddOffsets(ranges, source);
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
  spaces.resize(spaces.size() + ranges.size());
  EndSpaces* to = spaces.data() + (spaces.size() - ranges.size());
  for (const ByteRange& range : ranges) *to++ = EndSpaces::OfPart(range.of(model_text));
}

void Tokens::AddOffsets(const std::vector<ByteRange>& ranges, SourceMap& source) {
  offsets.resize(offsets.size() + ranges.size());
  Span* to = offsets.data() + (offsets.size() - ranges.size());
  for (size_t i = 0; i < ranges.size();) {
    // Most text is copied in long runs.
    const Shift shift = source.CurrentShift();
    for (; i < ranges.size() && ranges[i].end <= shift.until; ++i) {
      *to++ = {ranges[i].begin + shift.by, ranges[i].end + shift.by};
    }
    if (i == ranges.size()) break;
    const ByteRange from = source.SourceOf(ranges[i++]);
    *to++ = {from.begin, from.end};
  }
}

void Tokens::CountCharacters() {
  is_ascii = FindNonAscii(text) == text.size();
  if (!is_ascii) MarkCharacters(text, character_starts);
}

void Tokens::AppendCharacterOffsets(size_t begin, size_t end, std::vector<Span>& to) const {
  const size_t size = to.size();
  to.insert(to.end(), offsets.begin() + static_cast<ptrdiff_t>(begin), offsets.begin() + static_cast<ptrdiff_t>(end));
  if (is_ascii) return;
  for (size_t i = size; i < to.size(); ++i) {
    to[i] = {character_starts.CountBefore(to[i].begin), character_starts.CountBefore(to[i].end)};
  }
}

}  // namespace bertha::tokenizer
