#include "tokenizer/vocabulary.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {

namespace {

// Several times what the largest published vocabularies have; it bounds what a hostile file can make us allocate.
constexpr size_t kMostBytes = 16 << 20;

using Entry = DoubleArrayTrie::Entry;

absl::Status RefuseTwins(const std::vector<Entry>& by_id, const JsonValue& json) {
  const auto twin =
      std::adjacent_find(by_id.begin(), by_id.end(), [](const Entry& a, const Entry& b) { return a.value == b.value; });
  if (twin == by_id.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(json.path(), "[", Quoted(twin[1].key), "]: id ", twin->value,
                                                 " belongs to ", Quoted(twin->key), " already"));
}

}  // namespace

absl::StatusOr<Vocabulary> Vocabulary::FromJson(const JsonValue& json) {
  // Members come in the byte order of their keys, as the trie wants them.
  std::vector<Entry> entries;
  size_t bytes = 0;
  TOKENIZER_RETURN_IF_ERROR(json.ForEachMember([&](const std::string& text, const JsonValue& value) -> absl::Status {
    TOKENIZER_ASSIGN_OR_RETURN(const int32_t id, value.AsId());
    bytes += text.size();
    if (bytes > kMostBytes) return value.Invalid(absl::StrCat("vocabulary beyond ", kMostBytes, " bytes"));
    entries.push_back({text, id});
    return absl::OkStatus();
  }));
  Vocabulary vocabulary;
  vocabulary.trie_ = DoubleArrayTrie::Build(entries);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
  TOKENIZER_RETURN_IF_ERROR(RefuseTwins(entries, json));
  vocabulary.TakeTexts(entries, bytes);
  return vocabulary;
}

absl::StatusOr<Vocabulary> Vocabulary::FromTexts(const std::vector<std::string>& texts) {
  std::vector<Entry> by_id;
  size_t bytes = 0;
  for (const std::string& text : texts) {
    by_id.push_back({text, static_cast<int32_t>(by_id.size())});
    bytes += text.size();
  }
  if (bytes > kMostBytes) return absl::InvalidArgumentError(absl::StrCat("vocabulary beyond ", kMostBytes, " bytes"));
  std::vector<Entry> by_text = by_id;
  std::sort(by_text.begin(), by_text.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  const auto twin =
      std::adjacent_find(by_text.begin(), by_text.end(), [](const Entry& a, const Entry& b) { return a.key == b.key; });
  if (twin != by_text.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Quoted(twin->key), " is there twice, as ", twin[0].value, " and ", twin[1].value));
  }
  Vocabulary vocabulary;
  vocabulary.trie_ = DoubleArrayTrie::Build(by_text);
  vocabulary.TakeTexts(by_id, bytes);
  return vocabulary;
}

void Vocabulary::TakeTexts(const std::vector<Entry>& by_id, size_t bytes) {
  texts_.reserve(bytes);
  begins_.reserve(by_id.size() + 1);
  for (const Entry& token : by_id) {
    texts_.append(token.key.data(), token.key.size());
    begins_.push_back(static_cast<uint32_t>(texts_.size()));
  }
  if (by_id.empty() || static_cast<size_t>(by_id.back().value) + 1 == by_id.size()) return;
  ids_.reserve(by_id.size());
  for (const Entry& token : by_id) ids_.push_back(token.value);
}

std::optional<int32_t> Vocabulary::Find(absl::string_view text) const {
  const int32_t id = trie_.Find(text);
  if (id == DoubleArrayTrie::kNoValue) return std::nullopt;
  return id;
}

std::optional<absl::string_view> Vocabulary::TextOf(int32_t id) const {
  const std::optional<size_t> index = IndexOf(id);
  if (!index) return std::nullopt;
  return absl::string_view(texts_).substr(begins_[*index], begins_[*index + 1] - begins_[*index]);
}

std::optional<size_t> Vocabulary::IndexOf(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= id_limit()) return std::nullopt;
  if (ids_.empty()) return static_cast<size_t>(id);
  const auto found = std::lower_bound(ids_.begin(), ids_.end(), id);
  if (*found != id) return std::nullopt;
  return static_cast<size_t>(found - ids_.begin());
}

}  // namespace bertha::tokenizer
