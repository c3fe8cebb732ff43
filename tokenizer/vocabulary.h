// The tokens of a model: text to id and back, and the trie that models match against.
//
// Memory: the texts, the trie, and 4 bytes per token, or 8 where ids have gaps; less than four times the texts in all.
// Thread-safety: immutable after construction.
// Invariants: texts and ids are both distinct; ids may have gaps.
#ifndef BERTHA_TOKENIZER_VOCABULARY_H_
#define BERTHA_TOKENIZER_VOCABULARY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/json_reader.h"

namespace bertha::tokenizer {

class Vocabulary {
 public:
  /// From an object of token text to id.
  static absl::StatusOr<Vocabulary> FromJson(const JsonValue& json);
  /// From the texts of the ids 0, 1 and so on. INVALID_ARGUMENT if two are the same.
  static absl::StatusOr<Vocabulary> FromTexts(const std::vector<std::string>& texts);

  size_t size() const { return begins_.size() - 1; }
  /// The largest id + 1.
  size_t id_limit() const { return ids_.empty() ? size() : static_cast<size_t>(ids_.back()) + 1; }

  std::optional<int32_t> Find(absl::string_view text) const;
  std::optional<absl::string_view> TextOf(int32_t id) const;

  /// Every token's text, with its id as the value.
  const DoubleArrayTrie& trie() const { return trie_; }

 private:
  void TakeTexts(const std::vector<DoubleArrayTrie::Entry>& by_id, size_t bytes);
  std::optional<size_t> IndexOf(int32_t id) const;

  // Tokens in the order of their ids.
  std::string texts_;                   // one after another
  std::vector<uint32_t> begins_ = {0};  // of each token in texts_, and the end of the last
  std::vector<int32_t> ids_;            // empty where they are 0, 1, 2 and so on
  DoubleArrayTrie trie_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_VOCABULARY_H_
