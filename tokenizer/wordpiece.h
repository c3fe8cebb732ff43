// WordPiece: a word becomes the longest token that starts it, then the longest continuation of the rest, and so on; a
// word that cannot be covered is one unknown token.
//
// Thread-safety: immutable.
// Source: Schuster and Nakajima, "Japanese and Korean voice search", ICASSP 2012; Wu et al., arXiv:1609.08144, 4.1.
// Time: a word is at most max_input_chars_per_word long, and finding a piece reads no further than the longest token.
#ifndef BERTHA_TOKENIZER_WORDPIECE_H_
#define BERTHA_TOKENIZER_WORDPIECE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class WordPiece final : public Model {
 public:
  struct Options {
    int32_t unk_id = 0;
    /// Starts the text of every token that continues a word.
    std::string continuing_subword_prefix = "##";
    /// Longer words (in code points) are unknown as a whole.
    size_t max_input_chars_per_word = 100;
  };

  WordPiece(Vocabulary vocabulary, const Options& options);

  void Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch& scratch,
                std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  absl::string_view continuing_subword_prefix() const override { return options_.continuing_subword_prefix; }
  std::optional<int32_t> unknown_id() const override { return options_.unk_id; }

 private:
  void TokenizeWord(absl::string_view text, const ByteRange& word, std::vector<int32_t>& ids,
                    std::vector<ByteRange>* ranges) const;
  bool AppendPieces(absl::string_view text, ByteRange word, std::vector<int32_t>& ids,
                    std::vector<ByteRange>* ranges) const;

  const Vocabulary vocabulary_;
  const Options options_;
  const DoubleArrayTrie::Node continuation_root_;  // kNone if no token continues a word
};

absl::StatusOr<std::unique_ptr<const Model>> MakeWordPiece(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_WORDPIECE_H_
