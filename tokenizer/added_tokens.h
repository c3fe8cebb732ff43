// Added tokens: texts that are cut out of the input as one token each before the model sees it.
//
// Those with `normalized: false` are matched in the raw text; those with `normalized: true` afterwards, in normalized
// form, in what normalization made of the rest. Matches are leftmost, and longest among those.
// Thread-safety: immutable after construction.
// Source: Hugging Face `tokenizers`, AddedVocabulary. Time: linear, times the length of the longest token at worst.
#ifndef BERTHA_TOKENIZER_ADDED_TOKENS_H_
#define BERTHA_TOKENIZER_ADDED_TOKENS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character stands next to it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< takes the white space after it along
  bool normalized = false;   ///< matches normalized text
  bool special = false;
};

/// A part of a text: an added token, or text between two of them.
struct Section {
  static constexpr int32_t kText = -1;
  ByteRange range;
  int32_t id;  ///< kText for text
};

/// Finds a set of added tokens in a text.
class AddedTokenMatcher {
 public:
  /// `patterns`: what to look for, and the token that it stands for. Of equal patterns the first counts.
  explicit AddedTokenMatcher(std::vector<std::pair<std::string, AddedToken>> patterns);

  /// Replaces the content of `sections` by the parts of `text`, in order, none of them empty. A token that begins with
  /// white space may begin inside the one before, if that took the white space along.
  void Split(absl::string_view text, std::vector<Section>& sections) const;

 private:
  struct Match {
    ByteRange range;
    const AddedToken* token;
  };

  std::optional<Match> FindFrom(absl::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;
  DoubleArrayTrie trie_;            // pattern -> index in tokens_
  std::array<bool, 256> starts_{};  // first bytes of patterns
};

class AddedTokens {
 public:
  /// From the array `added_tokens`; `json` may be null. Ids are checked against those that the reference library gives:
  /// the model's id of the same text, or else the next free one.
  static absl::StatusOr<AddedTokens> FromJson(const std::optional<JsonValue>& json, const Vocabulary& vocabulary,
                                              const Normalizer* normalizer);

  const AddedTokenMatcher& in_raw_text() const { return in_raw_text_; }
  const AddedTokenMatcher& in_normalized_text() const { return in_normalized_text_; }

  std::optional<int32_t> Find(absl::string_view content) const;
  std::optional<absl::string_view> TextOf(int32_t id) const;
  /// The largest id + 1.
  size_t id_limit() const;

 private:
  explicit AddedTokens(std::vector<AddedToken> tokens, AddedTokenMatcher in_raw_text,
                       AddedTokenMatcher in_normalized_text);

  std::vector<AddedToken> tokens_;
  AddedTokenMatcher in_raw_text_, in_normalized_text_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_ADDED_TOKENS_H_
