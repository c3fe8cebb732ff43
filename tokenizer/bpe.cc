#include "tokenizer/bpe.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

/// The characters that have bytes in `bytes` of `text`.
inline ByteRange WholeCharacters(absl::string_view text, ByteRange bytes) {
  while (!IsUtf8Start(text[bytes.begin])) --bytes.begin;
  while (bytes.end < text.size() && !IsUtf8Start(text[bytes.end])) ++bytes.end;
  return bytes;
}

/// The tokens of a word that begins at byte `begin` of `text`. `Word`: anything with a size and tokens by number.
template <typename Word>
void Append(const Word& word, absl::string_view text, size_t begin, std::vector<int32_t>& ids,
            std::vector<ByteRange>* ranges) {
  size_t from = begin;
  for (size_t i = 0; i < word.size(); ++i) {
    const WordToken token = word[i];
    ids.push_back(token.id);
    if (ranges == nullptr) continue;
    ranges->push_back(WholeCharacters(text, {from, begin + token.end}));
    from = begin + token.end;
  }
}

absl::Status RefuseUnlessEmpty(const JsonValue& json, absl::string_view key) {
  const auto member = json.Find(key);
  if (!member) return absl::OkStatus();
  TOKENIZER_ASSIGN_OR_RETURN(const std::string value, member->AsString());
  if (value.empty()) return absl::OkStatus();
  return member->Unknown(absl::StrCat(Quoted(value), " is not supported; known here: null and \"\""));
}

absl::Status ReadIfThere(const JsonValue& json, absl::string_view key, bool* out) {
  return json.Find(key) ? json.Read(key, out) : absl::OkStatus();
}

absl::Status RefuseUnknownOptions(const JsonValue& json) {
  if (const auto dropout = json.Find("dropout")) {
    TOKENIZER_ASSIGN_OR_RETURN(const double value, dropout->AsNumber());
    if (value != 0) return dropout->Unknown("is not supported; known here: null and 0");
  }
  bool byte_fallback = false;
  TOKENIZER_RETURN_IF_ERROR(ReadIfThere(json, "byte_fallback", &byte_fallback));
  if (byte_fallback) {
    return absl::UnimplementedError(
        absl::StrCat(json.path(), ".byte_fallback: true is not supported; known here: false"));
  }
  TOKENIZER_RETURN_IF_ERROR(RefuseUnlessEmpty(json, "continuing_subword_prefix"));
  return RefuseUnlessEmpty(json, "end_of_word_suffix");
}

absl::StatusOr<std::optional<BytePairMerges::Unknown>> ReadUnknown(const JsonValue& json,
                                                                   const Vocabulary& vocabulary) {
  const auto member = json.Find("unk_token");
  if (!member) return std::optional<BytePairMerges::Unknown>();
  TOKENIZER_ASSIGN_OR_RETURN(const std::string token, member->AsString());
  const std::optional<int32_t> id = vocabulary.Find(token);
  if (!id) return member->Invalid(absl::StrCat(Quoted(token), " is not in the vocabulary"));
  BytePairMerges::Unknown unknown = {*id, false};
  TOKENIZER_RETURN_IF_ERROR(ReadIfThere(json, "fuse_unk", &unknown.fuse));
  return unknown;
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, BytePairMerges merges, bool ignore_merges)
    : vocabulary_(std::move(vocabulary)),
      merges_(std::move(merges)),
      backtracking_(BytePairBacktracking::Make(merges_)),
      ignore_merges_(ignore_merges) {}

void Bpe::Tokenize(absl::string_view text, const std::vector<ByteRange>& words, ModelScratch& scratch,
                   std::vector<int32_t>& ids, std::vector<ByteRange>* ranges) const {
  for (const ByteRange& range : words) {
    const absl::string_view word = range.of(text);
    if (const WordCache::Entry known = scratch.words.Find(number_, word)) {
      Append(known, text, range.begin, ids, ranges);
      continue;
    }
    EncodeWord(word, scratch);
    scratch.words.Insert(number_, word, scratch.tokens.data(), scratch.tokens.size());
    Append(scratch.tokens, text, range.begin, ids, ranges);
  }
}

void Bpe::EncodeWord(absl::string_view word, ModelScratch& scratch) const {
  scratch.tokens.clear();
  if (ignore_merges_) {
    if (const std::optional<int32_t> id = FindWord(word)) {
      scratch.tokens.push_back({*id, word.size()});
      return;
    }
  }
  if (backtracking_) {
    backtracking_->Encode(word, scratch.byte_pairs, scratch.tokens);
  } else {
    merges_.Encode(word, scratch.byte_pairs, scratch.tokens);
  }
}

std::optional<int32_t> Bpe::FindWord(absl::string_view word) const {
  const DoubleArrayTrie& trie = vocabulary_.trie();
  DoubleArrayTrie::Node node = DoubleArrayTrie::kRoot;
  for (const char byte : word) {
    node = trie.Walk(node, ByteAlphabet()[static_cast<unsigned char>(byte)]);
    if (node == DoubleArrayTrie::kNone) return std::nullopt;
  }
  const int32_t id = trie.ValueAt(node);
  return id == DoubleArrayTrie::kNoValue ? std::nullopt : std::make_optional(id);
}

absl::StatusOr<std::unique_ptr<const Model>> MakeBpe(const JsonValue& json) {
  TOKENIZER_RETURN_IF_ERROR(RefuseUnknownOptions(json));
  bool ignore_merges = false;
  TOKENIZER_RETURN_IF_ERROR(ReadIfThere(json, "ignore_merges", &ignore_merges));
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue vocab, json.Get("vocab"));
  TOKENIZER_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::FromJson(vocab));
  TOKENIZER_ASSIGN_OR_RETURN(const std::optional<BytePairMerges::Unknown> unknown, ReadUnknown(json, vocabulary));
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue list, json.Get("merges"));
  TOKENIZER_ASSIGN_OR_RETURN(BytePairMerges merges, BytePairMerges::FromJson(list, vocabulary, unknown));
  return std::make_unique<const Bpe>(std::move(vocabulary), std::move(merges), ignore_merges);
}

}  // namespace bertha::tokenizer
