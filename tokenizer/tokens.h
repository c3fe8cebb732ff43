// The tokens of one text before special tokens are put around them.
//
// Thread-safety: none; one object per thread. Keeps its capacity.
// Invariant: `offsets`, `spaces`, `word_ids` and `texts` have one entry per id where they are asked for, and none
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
#include "tokenizer/trim_offsets.h"

namespace bertha::tokenizer {

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<Span> offsets;
  std::vector<EndSpaces> spaces;  ///< what a post-processor may trim
  std::vector<int32_t> word_ids;
  std::vector<std::string> texts;
  RankedBits character_starts;  ///< of the text, after CountCharacters, unless it is ASCII
  size_t words = 0;             ///< so far
  absl::string_view text;       ///< the raw text, while it is encoded
  bool wants_offsets = false, wants_spaces = false, wants_word_ids = false, wants_texts = false, is_ascii = false;

  /// Starts a new text.
  void Start(absl::string_view raw_text, const EncodeOptions& options, bool trims_offsets);
  /// Appends an added token, which is a word of its own. `token`: where it stood.
  void AddWord(int32_t id, absl::string_view token, const ByteRange& source);
  /// Adds what belongs to the ids that a model has just appended: `ranges` of them within `words_of_text`, in the text
  /// that `source` maps back.
  void AddRanges(const std::vector<ByteRange>& ranges, const std::vector<ByteRange>& words_of_text, SourceMap& source);
  /// The same for `spaces`; `ranges` are parts of `model_text`.
  void AddSpaces(const std::vector<ByteRange>& ranges, absl::string_view model_text);
  /// Prepares AppendCharacterOffsets. Linear in the text.
  void CountCharacters();
  /// Appends `offsets` from `begin` to `end`, counted in code points.
  void AppendCharacterOffsets(size_t begin, size_t end, std::vector<Span>& to) const;

  bool wants_ranges() const { return wants_offsets || wants_word_ids || wants_texts; }

 private:
  void AddOffsets(const std::vector<ByteRange>& ranges, SourceMap& source);
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TOKENS_H_
