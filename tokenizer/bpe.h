// BPE: byte-pair encoding of the bytes of each word.
//
// The vocabulary spells tokens in the byte alphabet (byte_alphabet.h); the text comes as it is, so that the
// pre-tokenizer must be ByteLevel. Most words are found in the caller's cache; the others are encoded by
// byte_pair_backtracking.h where the merges allow it, and else by byte_pair_merges.h.
// Thread-safety: immutable.
// Source: Sennrich, Haddow and Birch, ACL 2016; Radford et al., 2019 (see byte_pair_merges.h).
#ifndef BERTHA_TOKENIZER_BPE_H_
#define BERTHA_TOKENIZER_BPE_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "tokenizer/byte_pair_backtracking.h"
#include "tokenizer/byte_pair_merges.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

class Bpe final : public Model {
 public:
  /// `ignore_merges`: a word that is a token is that token, whatever merging makes of it.
  Bpe(Vocabulary vocabulary, BytePairMerges merges, bool ignore_merges);

  void Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch& scratch,
                std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  TextUnit unit() const override { return TextUnit::kBytes; }

 private:
  void EncodeWord(absl::string_view word, ModelScratch& scratch) const;
  std::optional<int32_t> FindWord(absl::string_view word) const;

  const Vocabulary vocabulary_;
  const BytePairMerges merges_;
  std::optional<const BytePairBacktracking> backtracking_;  // of merges_, if they allow it
  const bool ignore_merges_;
  const uint64_t number_ = WordCache::NewModelNumber();
};

absl::StatusOr<std::unique_ptr<const Model>> MakeBpe(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BPE_H_
