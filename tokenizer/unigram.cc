#include "tokenizer/unigram.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

constexpr double kUnkPenalty = 10;

size_t CharacterSize(absl::string_view text, size_t at) {
  size_t end = at;
  DecodeUtf8(text, &end);
  return end - at;
}

/// Ends the token `id` of `size` bytes at `node` if that is better than what ended there.
void Offer(UnigramNode& node, int32_t id, size_t size, double score) {
  if (node.size == 0 || score > node.score) node = {score, id, static_cast<uint32_t>(size)};
}

}  // namespace

Unigram::Unigram(Vocabulary vocabulary, std::vector<double> scores, int32_t unk_id)
    : vocabulary_(std::move(vocabulary)),
      scores_(std::move(scores)),
      unk_id_(unk_id),
      unk_score_(*std::min_element(scores_.begin(), scores_.end()) - kUnkPenalty) {}

void Unigram::Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch& scratch,
                       std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const {
  const auto append = [&](const auto& tokens, size_t begin) {
    size_t done = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      const WordToken token = tokens[i];
      ids.push_back(token.id);
      if (ranges != nullptr) ranges->push_back({begin + done, begin + token.end});
      done = token.end;
    }
  };
  for (const ByteRange& range : words) {
    const absl::string_view word = range.of(text);
    if (const WordCache::Entry known = scratch.words.Find(number_, word)) {
      append(known, range.begin);
      continue;
    }
    TokenizeWord(word, scratch);
    scratch.words.Insert(number_, word, scratch.tokens.data(), scratch.tokens.size());
    append(scratch.tokens, range.begin);
  }
}

void Unigram::TokenizeWord(absl::string_view word, ModelScratch& scratch) const {
  FindBestPaths(word, scratch.unigram_nodes);
  ReadBackwards(word, scratch.unigram_nodes, scratch.tokens);
}

/// Fills in, for each byte of `word` that ends a character, the last token of the best path to there.
void Unigram::FindBestPaths(absl::string_view word, std::vector<UnigramNode>& nodes) const {
  nodes.assign(word.size() + 1, {});
  const DoubleArrayTrie& trie = vocabulary_.trie();
  for (size_t begin = 0; begin < word.size();) {
    const double before = nodes[begin].score;
    const size_t character = CharacterSize(word, begin);
    bool character_is_token = false;
    DoubleArrayTrie::Node node = DoubleArrayTrie::kRoot;
    for (size_t end = begin; end < word.size();) {
      node = trie.Step(node, word[end++]);
      if (node == DoubleArrayTrie::kNone) break;
      const int32_t id = trie.ValueAt(node);
      if (id == DoubleArrayTrie::kNoValue) continue;
      Offer(nodes[end], id, end - begin, scores_[static_cast<size_t>(id)] + before);
      character_is_token = character_is_token || end - begin == character;
    }
    if (!character_is_token) Offer(nodes[begin + character], unk_id_, character, unk_score_ + before);
    begin += character;
  }
}

void Unigram::ReadBackwards(absl::string_view word, const std::vector<UnigramNode>& nodes,
                            std::vector<WordToken>& tokens) const {
  tokens.clear();
  for (size_t end = word.size(); end > 0;) {
    size_t begin = end - nodes[end].size;
    int32_t id = nodes[end].id;
    if (id == unk_id_) {
      while (begin > 0 && nodes[begin].id == unk_id_) begin -= nodes[begin].size;
      // A token that lost against its characters, each of them unknown, wins after all.
      id = vocabulary_.Find(word.substr(begin, end - begin)).value_or(unk_id_);
    }
    tokens.push_back({id, end});
    end = begin;
  }
  std::reverse(tokens.begin(), tokens.end());
}

std::vector<WordToken> Unigram::TokenizePlainly(absl::string_view word) const {
  std::vector<UnigramNode> nodes(word.size() + 1);
  for (size_t begin = 0; begin < word.size(); begin += CharacterSize(word, begin)) {
    const double before = nodes[begin].score;
    const size_t character = CharacterSize(word, begin);
    if (!vocabulary_.Find(word.substr(begin, character))) {
      Offer(nodes[begin + character], unk_id_, character, unk_score_ + before);
    }
    for (size_t size = 1; size <= word.size() - begin; ++size) {
      const std::optional<int32_t> id = vocabulary_.Find(word.substr(begin, size));
      if (id) Offer(nodes[begin + size], *id, size, scores_[static_cast<size_t>(*id)] + before);
    }
  }
  std::vector<WordToken> tokens;
  ReadBackwards(word, nodes, tokens);
  return tokens;
}

absl::string_view Unigram::TokenText(int32_t id, absl::string_view piece) const {
  return id == unk_id_ ? piece : Model::TokenText(id, piece);
}

absl::StatusOr<std::unique_ptr<const Model>> MakeUnigram(const JsonValue& json) {
  if (!json.Find("unk_id")) {
    TOKENIZER_ASSIGN_OR_RETURN(const JsonValue missing, json.Get("unk_id"));
    return missing.Unknown("null is not supported: what is unknown would have no id");
  }
  int32_t unk_id = 0;
  TOKENIZER_RETURN_IF_ERROR(json.ReadId("unk_id", &unk_id));
  bool byte_fallback = false;
  if (json.Find("byte_fallback")) TOKENIZER_RETURN_IF_ERROR(json.Read("byte_fallback", &byte_fallback));
  if (byte_fallback) return json.Unknown("byte_fallback true is not supported");
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue vocab, json.Get("vocab"));
  std::vector<std::string> texts;
  std::vector<double> scores;
  TOKENIZER_RETURN_IF_ERROR(vocab.ForEachElement([&](const JsonValue& entry) -> absl::Status {
    TOKENIZER_ASSIGN_OR_RETURN(const std::vector<JsonValue> piece, entry.AsTuple(2));
    TOKENIZER_ASSIGN_OR_RETURN(texts.emplace_back(), piece[0].AsString());
    TOKENIZER_ASSIGN_OR_RETURN(scores.emplace_back(), piece[1].AsNumber());
    return absl::OkStatus();
  }));
  if (static_cast<size_t>(unk_id) >= texts.size()) {
    return json.Invalid(absl::StrCat("unk_id ", unk_id, ": the vocabulary has ", texts.size(), " tokens"));
  }
  absl::StatusOr<Vocabulary> vocabulary = Vocabulary::FromTexts(texts);
  if (!vocabulary.ok()) return vocab.Invalid(vocabulary.status().message());
  scores.shrink_to_fit();
  return std::make_unique<const Unigram>(*std::move(vocabulary), std::move(scores), unk_id);
}

}  // namespace bertha::tokenizer
