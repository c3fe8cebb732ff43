// What a loaded tokenizer costs: at most four times its vocabulary, as a vocab.txt would hold it, and while it loads a
// multiple of its file. (test_parity.py asks the same of the vocabulary of BERT uncased.)
#include <string>

#include "tests/tokenizer/allocations.h"
#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

/// A vocabulary of `size` words of the shape that subword vocabularies have: stems, with endings, half of them
/// continuing a word.
json MadeUpVocabulary(size_t size) {
  const char* syllables[] = {"ba", "con",  "de", "er",  "fi", "ga", "ho", "ing",  "ka", "la",
                             "mo", "ness", "or", "pre", "qu", "re", "s",  "tion", "un", "ver"};
  json vocab = json::object();
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) vocab.emplace(token, vocab.size());
  for (size_t number = 0; vocab.size() < size; ++number) {
    std::string word;
    for (size_t rest = number * 7 + 1; rest > 0; rest /= 20) word += syllables[rest % 20];
    vocab.emplace(word, vocab.size());
    vocab.emplace("##" + word, vocab.size());
  }
  return vocab;
}

size_t LinesBytes(const json& vocab) {
  size_t bytes = 0;
  for (const auto& [token, id] : vocab.items()) bytes += token.size() + 1;
  return bytes;
}

TEST_CASE("ALoadedTokenizerTakesAtMostFourTimesItsVocabulary") {
  if (!kAllocationsAreCounted) return;
  for (const size_t size : {10'000, 30'000, 120'000}) {
    json content = SmallJson();
    content["model"]["vocab"] = MadeUpVocabulary(size);
    const std::string text = content.dump();
    ResetPeakBytes();
    const size_t before = LiveBytes();
    const auto tokenizer = Tokenizer::FromJson(text);
    REQUIRE(tokenizer.ok());
    INFO(size << " tokens, file of " << text.size() << " bytes");
    CHECK(LiveBytes() - before <= 4 * LinesBytes(content["model"]["vocab"]));
    CHECK(PeakBytes() - before <= 20 * text.size());
  }
}

}  // namespace
}  // namespace bertha::tokenizer
