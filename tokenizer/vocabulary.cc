#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {

absl::StatusOr<Vocabulary> Vocabulary::FromJson(const JsonValue& json) {
  Vocabulary vocabulary;
  std::vector<DoubleArrayTrie::Entry> entries;
  TOKENIZER_RETURN_IF_ERROR(json.ForEachMember([&](const std::string& text, const JsonValue& value) -> absl::Status {
    TOKENIZER_ASSIGN_OR_RETURN(const int32_t id, value.AsId());
    const size_t begin = vocabulary.texts_.size();
    if (text.size() > std::numeric_limits<uint32_t>::max() - begin) return value.Invalid("vocabulary beyond 4 GiB");
    vocabulary.tokens_.push_back({id, static_cast<uint32_t>(begin), static_cast<uint32_t>(text.size())});
    vocabulary.texts_ += text;
    return absl::OkStatus();
  }));
  // Members come in the byte order of their keys, as the trie wants them; texts_ does not move any more.
  for (const Token& token : vocabulary.tokens_) entries.push_back({vocabulary.Text(token), token.id});
  vocabulary.trie_ = DoubleArrayTrie::Build(entries);
  TOKENIZER_RETURN_IF_ERROR(vocabulary.SortById(json));
  return vocabulary;
}

absl::StatusOr<Vocabulary> Vocabulary::FromTexts(const std::vector<std::string>& texts) {
  Vocabulary vocabulary;
  std::vector<DoubleArrayTrie::Entry> entries;
  for (const std::string& text : texts) {
    const auto id = static_cast<int32_t>(vocabulary.tokens_.size());
    const size_t begin = vocabulary.texts_.size();
    if (text.size() > std::numeric_limits<uint32_t>::max() - begin) {
      return absl::InvalidArgumentError("vocabulary beyond 4 GiB");
    }
    vocabulary.tokens_.push_back({id, static_cast<uint32_t>(begin), static_cast<uint32_t>(text.size())});
    vocabulary.texts_ += text;
    entries.push_back({text, id});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto twin =
      std::adjacent_find(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key == b.key; });
  if (twin != entries.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(twin->key), " is there twice, as ", twin[0].value, " and ", twin[1].value));
  }
  vocabulary.trie_ = DoubleArrayTrie::Build(entries);
  vocabulary.texts_.shrink_to_fit();
  vocabulary.tokens_.shrink_to_fit();
  return vocabulary;
}

absl::Status Vocabulary::SortById(const JsonValue& json) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const Token& a, const Token& b) { return a.id < b.id; });
  const auto twin =
      std::adjacent_find(tokens_.begin(), tokens_.end(), [](const Token& a, const Token& b) { return a.id == b.id; });
  if (twin == tokens_.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(json.path(), "[", Quoted(Text(twin[1])), "]: id ", twin->id,
                                                 " belongs to ", Quoted(Text(*twin)), " already"));
}

std::optional<int32_t> Vocabulary::Find(absl::string_view text) const {
  const int32_t id = trie_.Find(text);
  if (id == DoubleArrayTrie::kNoValue) return std::nullopt;
  return id;
}

std::optional<absl::string_view> Vocabulary::TextOf(int32_t id) const {
  const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), id,
                                      [](const Token& token, int32_t wanted) { return token.id < wanted; });
  if (found == tokens_.end() || found->id != id) return std::nullopt;
  return Text(*found);
}

}  // namespace bertha::tokenizer
