#include "tokenizer/added_tokens.h"

#include <algorithm>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/unicode_tables.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

bool IsWord(char32_t cp) { return (unicode::ClassOf(cp) & unicode::kWord) != 0; }
bool IsWhitespace(char32_t cp) { return (unicode::ClassOf(cp) & unicode::kWhitespace) != 0; }

bool StandsAlone(absl::string_view text, const ByteRange& range) {
  size_t unused = 0;
  if (range.begin > 0 && IsWord(DecodeUtf8Before(text, range.begin, &unused))) return false;
  size_t end = range.end;
  return end == text.size() || !IsWord(DecodeUtf8(text, &end));
}

/// Where the white space before `end` begins, but not before `limit`.
size_t WhitespaceStart(absl::string_view text, size_t limit, size_t end) {
  size_t start = end;
  while (end > limit && IsWhitespace(DecodeUtf8Before(text, end, &start))) end = start;
  return std::max(end, limit);
}

size_t WhitespaceEnd(absl::string_view text, size_t begin) {
  for (size_t next = begin; next < text.size(); begin = next) {
    if (!IsWhitespace(DecodeUtf8(text, &next))) break;
  }
  return begin;
}

absl::StatusOr<AddedToken> ReadToken(const JsonValue& json) {
  AddedToken token;
  TOKENIZER_RETURN_IF_ERROR(json.ReadId("id", &token.id));
  TOKENIZER_RETURN_IF_ERROR(json.Read("content", &token.content));
  TOKENIZER_RETURN_IF_ERROR(json.Read("single_word", &token.single_word));
  TOKENIZER_RETURN_IF_ERROR(json.Read("lstrip", &token.lstrip));
  TOKENIZER_RETURN_IF_ERROR(json.Read("rstrip", &token.rstrip));
  TOKENIZER_RETURN_IF_ERROR(json.Read("normalized", &token.normalized));
  TOKENIZER_RETURN_IF_ERROR(json.Read("special", &token.special));
  if (token.content.empty()) return json.Invalid("content is empty");
  return token;
}

/// Reads the array one by one and checks each token against those before it.
class Reader {
 public:
  Reader(const Vocabulary& vocabulary, const Normalizer* normalizer)
      : vocabulary_(vocabulary), normalizer_(normalizer) {}

  absl::Status Read(const JsonValue& json) {
    TOKENIZER_ASSIGN_OR_RETURN(AddedToken token, ReadToken(json));
    if (!contents_.insert(token.content).second) {
      return json.Invalid(absl::StrCat("content ", Quoted(token.content), " is there twice"));
    }
    const int32_t id = vocabulary_.Find(token.content).value_or(NextFreeId());
    if (token.id != id) {
      return json.Invalid(absl::StrCat("id ", token.id, " of ", Quoted(token.content), " should be ", id,
                                       vocabulary_.Find(token.content) ? ", as in the vocabulary" : ", the next free"));
    }
    std::string pattern = token.content;
    if (token.normalized && normalizer_ != nullptr &&
        !normalizer_->Normalize(token.content, scratch_, pattern, nullptr)) {
      pattern = token.content;
    }
    if (pattern.empty()) return json.Invalid(absl::StrCat("content ", Quoted(token.content), " normalizes to nothing"));
    (token.normalized ? normalized_ : raw_).emplace_back(std::move(pattern), token);
    largest_id_ = std::max(largest_id_, int64_t{id});
    tokens_.push_back(std::move(token));
    return absl::OkStatus();
  }

  using Patterns = std::vector<std::pair<std::string, AddedToken>>;

  std::vector<AddedToken>& tokens() { return tokens_; }
  /// Special tokens first: where two normalize to the same pattern, the special one wins.
  static Patterns SpecialFirst(Patterns patterns) {
    std::stable_partition(patterns.begin(), patterns.end(), [](const auto& pattern) { return pattern.second.special; });
    return patterns;
  }
  Patterns raw() const { return SpecialFirst(raw_); }
  Patterns normalized() const { return SpecialFirst(normalized_); }

 private:
  int32_t NextFreeId() const {
    const auto size = static_cast<int64_t>(vocabulary_.size());
    return static_cast<int32_t>(largest_id_ >= size ? largest_id_ + 1 : size);
  }

  const Vocabulary& vocabulary_;
  const Normalizer* const normalizer_;
  NormalizerScratch scratch_;
  int64_t largest_id_ = -1;  // of added tokens
  std::vector<AddedToken> tokens_;
  std::unordered_set<std::string> contents_;  // of tokens_
  Patterns raw_, normalized_;
};

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<std::pair<std::string, AddedToken>> patterns) {
  const auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
  const auto equal = [](const auto& a, const auto& b) { return a.first == b.first; };
  std::stable_sort(patterns.begin(), patterns.end(), less);
  patterns.erase(std::unique(patterns.begin(), patterns.end(), equal), patterns.end());
  std::vector<DoubleArrayTrie::Entry> entries;
  for (const auto& [pattern, token] : patterns) {
    entries.push_back({pattern, static_cast<int32_t>(tokens_.size())});
    tokens_.push_back(token);
    starts_[static_cast<unsigned char>(pattern[0])] = true;
  }
  trie_ = DoubleArrayTrie::Build(entries);
}

void AddedTokenMatcher::Split(absl::string_view text, std::vector<Section>& sections) const {
  sections.clear();
  size_t done = 0;
  size_t at = 0;
  while (const std::optional<Match> match = FindFrom(text, at)) {
    at = match->range.end;
    ByteRange range = match->range;
    // A match that is refused here has still used up its text: a token inside it is not found.
    if (match->token->single_word && !StandsAlone(text, range)) continue;
    // A token before this one may have taken the white space that this one begins with, up to `done`: both then have
    // it, unless this one takes what is before it along, finds nothing, and has nothing else. (Where it would end
    // before it begins the reference library panics.)
    if (match->token->lstrip) range.begin = WhitespaceStart(text, done, range.begin);
    if (match->token->rstrip) range.end = WhitespaceEnd(text, std::max(range.end, done));
    if (range.end <= range.begin) continue;
    if (done < range.begin) sections.push_back({{done, range.begin}, Section::kText});
    sections.push_back({range, match->token->id});
    done = range.end;
  }
  if (done < text.size()) sections.push_back({{done, text.size()}, Section::kText});
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::FindFrom(absl::string_view text, size_t at) const {
  for (; at < text.size() && !tokens_.empty(); ++at) {
    if (!starts_[static_cast<unsigned char>(text[at])]) continue;
    std::optional<Match> longest;
    DoubleArrayTrie::Node node = DoubleArrayTrie::kRoot;
    for (size_t end = at; end < text.size(); ++end) {
      node = trie_.Step(node, text[end]);
      if (node == DoubleArrayTrie::kNone) break;
      const int32_t index = trie_.ValueAt(node);
      if (index != DoubleArrayTrie::kNoValue) longest = Match{{at, end + 1}, &tokens_[static_cast<size_t>(index)]};
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, AddedTokenMatcher in_raw_text,
                         AddedTokenMatcher in_normalized_text)
    : tokens_(std::move(tokens)),
      in_raw_text_(std::move(in_raw_text)),
      in_normalized_text_(std::move(in_normalized_text)) {}

absl::StatusOr<AddedTokens> AddedTokens::FromJson(const std::optional<JsonValue>& json, const Vocabulary& vocabulary,
                                                  const Normalizer* normalizer) {
  Reader reader(vocabulary, normalizer);
  if (json) {
    TOKENIZER_RETURN_IF_ERROR(json->ForEachElement([&](const JsonValue& token) { return reader.Read(token); }));
  }
  return AddedTokens(std::move(reader.tokens()), AddedTokenMatcher(reader.raw()),
                     AddedTokenMatcher(reader.normalized()));
}

std::optional<int32_t> AddedTokens::Find(absl::string_view content) const {
  for (const AddedToken& token : tokens_) {
    if (token.content == content) return token.id;
  }
  return std::nullopt;
}

std::optional<absl::string_view> AddedTokens::TextOf(int32_t id) const {
  for (const AddedToken& token : tokens_) {
    if (token.id == id) return token.content;
  }
  return std::nullopt;
}

size_t AddedTokens::id_limit() const {
  size_t limit = 0;
  for (const AddedToken& token : tokens_) limit = std::max(limit, static_cast<size_t>(token.id) + 1);
  return limit;
}

}  // namespace bertha::tokenizer
