// Tokenizing: a text of some words through the tokenizers of the demo models, one of each kind.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tokenizer/tokenizer.h"

namespace {

using bertha::tokenizer::EncodeOptions;
using bertha::tokenizer::Encoding;
using bertha::tokenizer::Scratch;
using bertha::tokenizer::Tokenizer;

constexpr char kSentence[] =
    "The soup was cold and the waiter unfriendly, but we'd come back for the naïve charm of the place - 5 stars! ";

/// `model` names a demo package; range(0): sentences of the text.
void Encode(benchmark::State& state, const char* model) {
  const std::string path = absl::StrCat(BERTHA_SOURCE_DIR "/demo/models/", model, "/1/tokenizer.json");
  const auto tokenizer = Tokenizer::FromFile(path);
  if (!tokenizer.ok()) return state.SkipWithError(std::string(tokenizer.status().message()).c_str());
  std::string text;
  for (int64_t i = 0; i < state.range(0); ++i) text += kSentence;
  Scratch scratch;
  Encoding encoding;
  for (auto _ : state) {
    if (!(*tokenizer)->Encode(text, {}, EncodeOptions(), scratch, encoding).ok()) return state.SkipWithError("refused");
    benchmark::DoNotOptimize(encoding.ids.data());
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.counters["tokens"] = static_cast<double>(encoding.ids.size());
}

BENCHMARK_CAPTURE(Encode, wordpiece, "sentiment-bert")->Arg(1)->Arg(32);
BENCHMARK_CAPTURE(Encode, byte_level_bpe, "sentiment-roberta")->Arg(1)->Arg(32);
BENCHMARK_CAPTURE(Encode, unigram, "sentiment-albert")->Arg(1)->Arg(32);

}  // namespace
