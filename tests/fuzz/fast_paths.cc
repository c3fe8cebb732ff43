#include "tests/fuzz/fast_paths.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "tests/fuzz/check.h"
#include "tokenizer/alignment.h"
#include "tokenizer/utf8.h"
#include "tokenizer/vocabulary.h"

namespace bertha::tokenizer::fuzz {
namespace {

template <typename T>
T Must(absl::StatusOr<T> value) {
  FUZZ_CHECK_THAT(value.ok(), value.status().ToString());
  return *std::move(value);
}

std::string TypeOf(const JsonValue& json) {
  const auto type = json.Find("type");
  return type ? Must(type->AsString()) : "";
}

bool Same(const std::vector<WordToken>& a, const std::vector<WordToken>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const WordToken& x, const WordToken& y) { return x.id == y.id && x.end == y.end; });
}

}  // namespace

FastPaths::FastPaths(absl::string_view tokenizer_json) {
  const JsonDocument document = Must(JsonDocument::Parse(tokenizer_json));
  const JsonValue model = Must(document.root().Get("model"));
  // Older files name no type.
  if (model.Find("merges")) {
    const Vocabulary vocabulary = Must(Vocabulary::FromJson(Must(model.Get("vocab"))));
    merges_ = std::make_unique<const BytePairMerges>(
        Must(BytePairMerges::FromJson(Must(model.Get("merges")), vocabulary, std::nullopt)));
    std::optional<BytePairBacktracking> backtracking = BytePairBacktracking::Make(*merges_);
    FUZZ_CHECK(backtracking.has_value());
    backtracking_ = std::make_unique<const BytePairBacktracking>(*std::move(backtracking));
  } else if (model.Find("unk_id")) {
    // MakeUnigram gives nothing else.
    unigram_.reset(static_cast<const Unigram*>(Must(MakeUnigram(model)).release()));
  }
  const auto normalizer = document.root().Find("normalizer");
  if (!normalizer || TypeOf(*normalizer) != "Sequence") return;
  const absl::Status status = Must(normalizer->Get("normalizers")).ForEachElement([&](const JsonValue& step) {
    if (TypeOf(step) != "Precompiled") return absl::OkStatus();
    std::string charsmap;
    FUZZ_CHECK(absl::Base64Unescape(Must(Must(step.Get("precompiled_charsmap")).AsString()), &charsmap));
    precompiled_ = Must(Precompiled::FromCharsmap(charsmap));
    return absl::OkStatus();
  });
  FUZZ_CHECK(status.ok());
}

void FastPaths::Check(const std::string& text) const {
  if (precompiled_) CheckPrecompiled(text);
  if (text.empty()) return;  // A word never is.
  if (backtracking_) CheckMerges(text);
  if (unigram_) CheckUnigram(absl::StrReplaceAll(text, {{" ", "▁"}}));
}

void FastPaths::CheckMerges(const std::string& word) const {
  static BytePairScratch scratch;
  std::vector<WordToken> fast, plain;
  backtracking_->Encode(word, scratch, fast);
  merges_->Encode(word, scratch, plain);
  FUZZ_CHECK(Same(fast, plain));
}

void FastPaths::CheckUnigram(const std::string& word) const {
  constexpr size_t kLongestPlain = 512;  // TokenizePlainly takes quadratic time.
  if (word.size() > kLongestPlain) return;
  static ModelScratch scratch;
  std::vector<int32_t> ids;
  std::vector<ByteRange> ranges;
  unigram_->Tokenize(word, {{0, word.size()}}, scratch, ids, &ranges);
  FUZZ_CHECK(ids.size() == ranges.size());
  std::vector<WordToken> fast;
  for (size_t i = 0; i < ids.size(); ++i) {
    FUZZ_CHECK(ranges[i].begin == (i == 0 ? 0 : ranges[i - 1].end));
    fast.push_back({ids[i], ranges[i].end});
  }
  FUZZ_CHECK(Same(fast, unigram_->TokenizePlainly(word)));
}

void FastPaths::CheckPrecompiled(const std::string& text) const {
  static NormalizerScratch scratch;
  std::string fast, without_alignment, plain;
  Alignment fast_alignment, plain_alignment;
  const bool changes = precompiled_->NormalizePlainly(text, plain, &plain_alignment);
  FUZZ_CHECK(precompiled_->Normalize(text, scratch, fast, &fast_alignment) == changes);
  FUZZ_CHECK(precompiled_->Normalize(text, scratch, without_alignment, nullptr) == changes);
  if (!changes) return;
  FUZZ_CHECK(fast == plain && without_alignment == plain);
  Alignment::Reader fast_reader(fast_alignment, 0), plain_reader(plain_alignment, 0);
  for (size_t at = 0; at < plain.size();) {
    const size_t begin = at;
    DecodeUtf8(plain, &at);
    const ByteRange a = fast_reader.SourceOf({begin, at}), b = plain_reader.SourceOf({begin, at});
    FUZZ_CHECK(a.begin == b.begin && a.end == b.end);
  }
}

}  // namespace bertha::tokenizer::fuzz
