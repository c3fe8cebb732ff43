// The tokens of a model: text to id and back, and the trie that models match against.
//
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

  size_t size() const { return tokens_.size(); }
  /// The largest id + 1.
  size_t id_limit() const { return tokens_.empty() ? 0 : static_cast<size_t>(tokens_.back().id) + 1; }

  std::optional<int32_t> Find(absl::string_view text) const;
  std::optional<absl::string_view> TextOf(int32_t id) const;

  /// Every token's text, with its id as the value.
  const DoubleArrayTrie& trie() const { return trie_; }

 private:
  struct Token {
    int32_t id;
    uint32_t begin, size;  // in texts_
  };

  absl::Status SortById(const JsonValue& json);
  absl::string_view Text(const Token& token) const { return absl::string_view(texts_).substr(token.begin, token.size); }

  std::string texts_;
  std::vector<Token> tokens_;  // by id
  DoubleArrayTrie trie_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_VOCABULARY_H_
