#include "tokenizer/precompiled.h"

#include <algorithm>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tokenizer/grapheme_clusters.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

uint32_t LoadLittleEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

/// The text so far, and which characters of the source it has used up: the reference library counts characters, and
/// gets out of step with the source where the text begins with characters that are removed.
class Precompiled::Output {
 public:
  Output(absl::string_view source, std::string& out, Alignment* alignment)
      : source_(source), alignment_(alignment), normalized_(source, out, alignment) {}

  /// Whether anything differs from the source.
  bool changed = false;

  /// Appends a part of the source.
  void Copy(const ByteRange& range) {
    if (range.begin == range.end) return;
    if (alignment_ == nullptr || next_ == range.begin) {
      FlushInserted();
      normalized_.Copy(range);
      next_ = range.end;
      begun_ = true;
      return;
    }
    for (size_t at = range.begin; at < range.end;) {
      const char32_t cp = DecodeUtf8(source_, &at);
      Append(cp, Take());
    }
  }

  /// Appends `replacement` for a part of the source.
  void Replace(const ByteRange& range, absl::string_view replacement) {
    changed = true;
    if (alignment_ == nullptr) return normalized_.Append(replacement, range);
    size_t old_count = CountCodePoints(range.of(source_));
    if (replacement.empty()) return Remove(old_count);
    for (size_t at = 0; at < replacement.size();) {
      const char32_t cp = DecodeUtf8(replacement, &at);
      if (old_count != 0) {
        Append(cp, Take());
        --old_count;
      } else {
        Insert(cp);
      }
    }
    for (; old_count != 0; --old_count) Take();
  }

  void FlushInserted() {
    if (inserted_) normalized_.Append(*inserted_, last_);
    inserted_.reset();
  }

 private:
  /// The next character of the source that has not been used up.
  ByteRange Take() {
    FlushInserted();
    const size_t begin = next_;
    DecodeUtf8(source_, &next_);
    return last_ = {begin, next_};
  }

  void Append(char32_t cp, const ByteRange& from) {
    normalized_.Append(cp, from);
    begun_ = true;
  }

  /// A character more than there were comes from the one before, unless characters that are removed follow it: then
  /// it takes the place of the first of those.
  void Insert(char32_t cp) {
    FlushInserted();
    inserted_ = cp;
  }

  void Remove(size_t count) {
    if (!begun_) return;
    if (inserted_) {
      const char32_t cp = *std::exchange(inserted_, std::nullopt);
      Append(cp, Take());
      --count;
    }
    for (; count != 0; --count) Take();
  }

  const absl::string_view source_;
  Alignment* const alignment_;
  NormalizedText normalized_;
  bool begun_ = false;  // there is text
  size_t next_ = 0;
  ByteRange last_ = {0, 0};
  std::optional<char32_t> inserted_;  // already part of the text, but not appended yet
};

absl::StatusOr<std::unique_ptr<const Precompiled>> Precompiled::FromCharsmap(absl::string_view charsmap) {
  constexpr size_t kHeader = sizeof(uint32_t);
  if (charsmap.size() < kHeader) return absl::InvalidArgumentError("has no size");
  const size_t trie_bytes = LoadLittleEndian(charsmap);
  if (trie_bytes > charsmap.size() - kHeader || trie_bytes < sizeof(uint32_t) || trie_bytes % sizeof(uint32_t) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a trie of ", trie_bytes, " bytes in ", charsmap.size() - kHeader, " bytes"));
  }
  std::unique_ptr<Precompiled> made(new Precompiled());
  for (size_t at = kHeader; at < kHeader + trie_bytes; at += sizeof(uint32_t)) {
    made->units_.emplace_back(LoadLittleEndian(charsmap.substr(at)));
  }
  made->replacements_ = std::string(charsmap.substr(kHeader + trie_bytes));
  if (FindInvalidUtf8(made->replacements_) != absl::string_view::npos) {
    return absl::InvalidArgumentError("replacements are not UTF-8");
  }
  TOKENIZER_RETURN_IF_ERROR(made->Check());
  for (const absl::string_view replacement : absl::StrSplit(made->replacements_, '\0')) {
    made->longest_replacement_ = std::max(made->longest_replacement_, replacement.size());
  }
  for (size_t c = 0; c < made->ascii_changes_.size(); ++c) {
    const char character = static_cast<char>(c);
    made->ascii_changes_[c] = made->Replacement(absl::string_view(&character, 1)).has_value();
  }
  made->ascii_changes_['\r'] = true;  // not by itself: it may begin a longer cluster
  return made;
}

/// Whatever the text, a walk through the trie stays inside, and so does what it finds.
absl::Status Precompiled::Check() const {
  std::vector<bool> seen(units_.size());
  std::vector<size_t> open = {0};
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    const size_t base = at ^ units_[at].offset();
    if ((base | 0xFF) >= units_.size()) return absl::InvalidArgumentError(absl::StrCat("unit ", at, " leads outside"));
    if (at != 0 && units_[at].has_value()) {
      const size_t value = units_[base].value();
      if (value > replacements_.size() || (value < replacements_.size() && !IsUtf8Start(replacements_[value]))) {
        return absl::InvalidArgumentError(absl::StrCat("unit ", base, " has no replacement"));
      }
    }
    for (size_t label = 1; label < 256; ++label) {
      const size_t child = base ^ label;
      if (units_[child].label() != label || seen[child]) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
  return absl::OkStatus();
}

/// What the shortest text of the table becomes that `text` starts with.
std::optional<absl::string_view> Precompiled::Replacement(absl::string_view text) const {
  size_t at = units_[0].offset();
  for (const char c : text) {
    const auto label = static_cast<unsigned char>(c);
    if (label == 0) return std::nullopt;
    at ^= label;
    const Unit unit = units_[at];
    if (unit.label() != label) return std::nullopt;
    at ^= unit.offset();
    if (!unit.has_value()) continue;
    const absl::string_view rest = absl::string_view(replacements_).substr(units_[at].value());
    return rest.substr(0, rest.find('\0'));
  }
  return std::nullopt;
}

bool Precompiled::Normalize(absl::string_view text, NormalizerScratch&, std::string& out, Alignment* alignment) const {
  size_t at = SkipUnchanged(text, 0);
  if (at == text.size()) return false;
  Output output(text, out, alignment);
  for (size_t done = 0;; done = at, at = SkipUnchanged(text, at)) {
    output.Copy({done, at});
    if (at == text.size()) break;
    const size_t end = GraphemeClusterEnd(text, at);
    AppendCluster(text, {at, end}, output);
    at = end;
  }
  output.FlushInserted();
  return output.changed;
}

bool Precompiled::NormalizePlainly(absl::string_view text, std::string& out, Alignment* alignment) const {
  Output output(text, out, alignment);
  for (size_t at = 0; at < text.size();) {
    const size_t end = GraphemeClusterEnd(text, at);
    AppendCluster(text, {at, end}, output);
    at = end;
  }
  output.FlushInserted();
  return output.changed;
}

/// The end of the ASCII from `at` on that stays as it is, whatever follows.
size_t Precompiled::SkipUnchanged(absl::string_view text, size_t at) const {
  const size_t begin = at;
  while (at < text.size() && IsAscii(text[at]) && !ascii_changes_[static_cast<unsigned char>(text[at])]) ++at;
  // What follows may join the last one.
  return at < text.size() && at > begin && !IsAscii(text[at]) ? at - 1 : at;
}

void Precompiled::AppendCluster(absl::string_view text, const ByteRange& cluster, Output& output) const {
  constexpr size_t kShort = 6;
  if (cluster.size() < kShort) {
    if (const auto replacement = Replacement(cluster.of(text))) return output.Replace(cluster, *replacement);
  }
  for (size_t at = cluster.begin; at < cluster.end;) {
    const size_t begin = at;
    DecodeUtf8(text, &at);
    const auto replacement = Replacement(text.substr(begin, at - begin));
    replacement ? output.Replace({begin, at}, *replacement) : output.Copy({begin, at});
  }
}

absl::StatusOr<std::unique_ptr<const Normalizer>> MakePrecompiled(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue base64, json.Get("precompiled_charsmap"));
  TOKENIZER_ASSIGN_OR_RETURN(const std::string encoded, base64.AsString());
  std::string charsmap;
  if (!absl::Base64Unescape(encoded, &charsmap)) return base64.Invalid("not base64");
  auto made = Precompiled::FromCharsmap(charsmap);
  if (!made.ok()) return base64.Invalid(made.status().message());
  return *std::move(made);
}

}  // namespace bertha::tokenizer
