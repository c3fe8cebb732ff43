#include <string>

#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

TEST_CASE("AWordIsCutIntoTheLongestPiecesFromTheLeft") {
  const auto tokenizer = Load(BareJson());
  CHECK(TokensOf(*tokenizer, "unaffable") == "un ##aff ##able");
  CHECK(TokensOf(*tokenizer, "abab") == "ab ##ab");
  CHECK(TokensOf(*tokenizer, "aba b") == "ab ##a b");
}

TEST_CASE("AWordThatPiecesCannotCoverIsOneUnknownToken") {
  const auto tokenizer = Load(BareJson());
  CHECK(TokensOf(*tokenizer, "abz") == "[UNK]");
  CHECK(TokensOf(*tokenizer, "zab a") == "[UNK] a");
  CHECK(TokensOf(*tokenizer, "a€") == "[UNK]");
  CHECK(TokensOf(*tokenizer, "a²") == "a ##²");
}

TEST_CASE("WordsOfMoreThanMaxInputCharsAreUnknown") {
  const auto tokenizer = Load(BareJson());
  CHECK(EncodeWith(*tokenizer, std::string(100, 'a')).ids.size() == 100);
  CHECK(TokensOf(*tokenizer, std::string(101, 'a')) == "[UNK]");
}

TEST_CASE("MaxInputCharsCountsCodePointsAfterNormalization") {
  const auto tokenizer = Load(BareJson());
  std::string squares = "a";
  for (int i = 0; i < 99; ++i) squares += "²";
  CHECK(EncodeWith(*tokenizer, squares).ids.size() == 100);
  CHECK(TokensOf(*tokenizer, squares + "²") == "[UNK]");
  std::string accented;
  for (int i = 0; i < 100; ++i) accented += "a\u0301";
  CHECK(EncodeWith(*tokenizer, accented).ids.size() == 100);
}

TEST_CASE("AMaximumOfNoCharactersMakesEveryWordUnknown") {
  json content = BareJson();
  content["model"]["max_input_chars_per_word"] = 0;
  CHECK(TokensOf(*Load(content), "a b") == "[UNK] [UNK]");
}

TEST_CASE("AnEmptyContinuationPrefixReusesTheSamePieces") {
  json content = BareJson();
  content["model"]["continuing_subword_prefix"] = "";
  CHECK(TokensOf(*Load(content), "abfoob") == "ab foo b");
}

TEST_CASE("WithoutContinuationsOnlyWholeWordsAreKnown") {
  json content = BareJson();
  content["model"]["continuing_subword_prefix"] = "@@";
  CHECK(TokensOf(*Load(content), "ab aba") == "ab [UNK]");
}

TEST_CASE("AFileOf2020NamesNoModelType") {
  json content = BareJson();
  content["model"].erase("type");
  CHECK(TokensOf(*Load(content), "unaffable") == "un ##aff ##able");
}

}  // namespace
}  // namespace bertha::tokenizer
