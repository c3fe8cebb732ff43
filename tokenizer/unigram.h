// Unigram: a word becomes the tokens with the largest sum of scores, found by dynamic programming (Viterbi).
//
// Characters that are no token become unknown, at a score 10 below the lowest of all; unknown neighbours are one token.
// Thread-safety: immutable. Time: linear in the text; at each character a walk as long as the longest token.
// Source: T. Kudo, "Subword Regularization", ACL 2018, arXiv:1804.10959; in the reading of Hugging Face `tokenizers`,
// Unigram::encode: sums in double precision from left to right, where a later candidate wins only if it is larger.
#ifndef BERTHA_TOKENIZER_UNIGRAM_H_
#define BERTHA_TOKENIZER_UNIGRAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class Unigram final : public Model {
 public:
  /// `scores`: finite, one for each id. `unk_id`: one of these.
  Unigram(Vocabulary vocabulary, std::vector<double> scores, int32_t unk_id);

  void Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch& scratch,
                std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const override;
  /// Of an unknown token the text itself.
  absl::string_view TokenText(int32_t id, absl::string_view piece) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::optional<int32_t> unknown_id() const override { return unk_id_; }

  /// The tokens of a word, without the cache of words, and trying every text that might be a token.
  std::vector<WordToken> TokenizePlainly(absl::string_view word) const;

 private:
  void TokenizeWord(absl::string_view word, ModelScratch& scratch) const;
  void FindBestPaths(absl::string_view word, std::vector<UnigramNode>& nodes) const;
  void ReadBackwards(absl::string_view word, const std::vector<UnigramNode>& nodes,
                     std::vector<WordToken>& tokens) const;

  const Vocabulary vocabulary_;
  const std::vector<double> scores_;
  const int32_t unk_id_;
  const double unk_score_;
  const uint64_t number_ = WordCache::NewModelNumber();
};

absl::StatusOr<std::unique_ptr<const Model>> MakeUnigram(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_UNIGRAM_H_
