// ByteLevel: cuts text as GPT-2 does. A word is a run of letters, of digits, or of other characters, each with the one
// space before it; an English contraction; or white space, but for the space that belongs to the next word.
//
// The reference library also spells each byte as a character of its own (byte_alphabet.h); here the text stays as it
// is, and the model reads its bytes.
// Thread-safety: immutable.
// Source: Radford et al., "Language models are unsupervised multitask learners", 2019; openai/gpt-2, encoder.py, whose
// regular expression is
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#ifndef BERTHA_TOKENIZER_BYTE_LEVEL_H_
#define BERTHA_TOKENIZER_BYTE_LEVEL_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class ByteLevel final : public PreTokenizer {
 public:
  struct Options {
    /// Puts a space before each word that comes without one, as if it stood inside a sentence.
    bool add_prefix_space = true;
    /// Cuts; without, words stay as they come.
    bool use_regex = true;
  };

  explicit ByteLevel(const Options& options) : options_(options) {}

  void PreTokenize(PreTokenized& text) const override;
  TextUnit unit() const override { return TextUnit::kBytes; }

 private:
  void Cut(absl::string_view text, const ByteRange& word, std::vector<ByteRange>& words) const;

  const Options options_;
};

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeByteLevel(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_LEVEL_H_
