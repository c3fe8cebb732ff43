// The tokens of one text before special tokens are put around them.
//
// Thread-safety: none; one object per thread. Keeps its capacity.
// Invariant: `offsets`, `char_offsets`, `word_ids` and `texts` have one entry per id where they are asked for, and none
// elsewhere. Source: Hugging Face `tokenizers`, PreTokenizedString::into_encoding.
#ifndef BERTHA_TOKENIZER_TOKENS_H_
#define BERTHA_TOKENIZER_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/alignment.h"
#include "tokenizer/ranked_bits.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer {

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<Span> offsets, char_offsets;
  std::vector<int32_t> word_ids;
  std::vector<std::string> texts;
  RankedBits character_starts;  ///< of the text; only while char_offsets are made
  size_t words = 0;             ///< so far
  bool wants_offsets = false, wants_word_ids = false, wants_texts = false;

  /// Starts a new text.
  void Clear(const EncodeOptions& options);
  /// Appends an added token, which is a word of its own. `text`: where it stood.
  void AddWord(int32_t id, absl::string_view text, const ByteRange& source);
  /// Adds what belongs to the ids that a model has just appended: `ranges` of them within `words_of_text`, in the text
  /// that `source` maps back.
  void AddRanges(const std::vector<ByteRange>& ranges, const std::vector<ByteRange>& words_of_text, SourceMap& source);
  /// Fills `char_offsets`. Linear in the text.
  void CountCharacters(absl::string_view text);

  bool wants_ranges() const { return wants_offsets || wants_word_ids || wants_texts; }
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TOKENS_H_
