#include "tokenizer/word_cache.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"

namespace bertha::tokenizer {
namespace {

std::vector<WordToken> TokensOf(const WordCache::Entry& entry) {
  std::vector<WordToken> tokens;
  for (size_t i = 0; i < entry.size(); ++i) tokens.push_back(entry[i]);
  return tokens;
}

bool Same(const std::vector<WordToken>& a, const std::vector<WordToken>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const WordToken& x, const WordToken& y) { return x.id == y.id && x.end == y.end; });
}

TEST_CASE("AWordIsFoundWithItsTokensUntilItIsDisplaced") {
  std::mt19937 rng(1);
  WordCache cache;
  std::map<std::pair<uint64_t, std::string>, std::vector<WordToken>> known;
  size_t hits = 0;
  for (int i = 0; i < 200000; ++i) {
    const uint64_t model = 1 + rng() % 3;
    std::string word;
    for (size_t size = 1 + rng() % (i % 2 == 0 ? 3 : 20); size > 0; --size) word += static_cast<char>('a' + rng() % 6);
    auto& tokens = known[{model, word}];
    if (const WordCache::Entry entry = cache.Find(model, word)) {
      ++hits;
      REQUIRE(Same(TokensOf(entry), tokens));
      continue;
    }
    tokens.clear();
    for (size_t end = 0; end < word.size();) {
      end = std::min(word.size(), end + 1 + rng() % 8);
      tokens.push_back({static_cast<int32_t>(rng() >> 1), end});
    }
    cache.Insert(model, word, tokens.data(), tokens.size());
  }
  CHECK(hits > 50000);
}

TEST_CASE("WordsOfEverySizeThatFitAreKeptAndLongerOnesAreNot") {
  WordCache cache;
  const std::string letters(100, 'x');
  for (size_t size = 1; size <= letters.size(); ++size) {
    const std::string word = letters.substr(0, size);
    const WordToken token = {static_cast<int32_t>(size), size};
    cache.Insert(7, word, &token, 1);
    const WordCache::Entry entry = cache.Find(7, word);
    CHECK(static_cast<bool>(entry) == (size <= 49));
    if (entry) CHECK(Same(TokensOf(entry), {token}));
  }
}

TEST_CASE("AWordOfAnotherModelIsNotFound") {
  WordCache cache;
  const WordToken token = {5, 3};
  CHECK_FALSE(cache.Find(1, "foo"));
  cache.Insert(1, "foo", &token, 1);
  CHECK(cache.Find(1, "foo"));
  CHECK_FALSE(cache.Find(2, "foo"));
  CHECK_FALSE(cache.Find(1, "fo"));
  CHECK_FALSE(cache.Find(1, "fox"));
  CHECK_FALSE(cache.Find(1, ""));
}

TEST_CASE("ModelNumbersNeverRepeat") {
  const uint64_t first = WordCache::NewModelNumber();
  CHECK(first > 0);
  CHECK(WordCache::NewModelNumber() > first);
}

}  // namespace
}  // namespace bertha::tokenizer
