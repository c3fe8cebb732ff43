// Added tokens and their flags.
#include <string>
#include <vector>

#include "tests/tokenizer/support.h"

namespace bertha::tokenizer {
namespace {

json WithToken(const std::string& content, const json& flags, json base = BareJson()) {
  json token = {{"id", base["model"]["vocab"].size() + base["added_tokens"].size() - 5},
                {"content", content},
                {"single_word", false},
                {"lstrip", false},
                {"rstrip", false},
                {"normalized", false},
                {"special", false}};
  token.update(flags);
  base["added_tokens"].push_back(token);
  return base;
}

TEST_CASE("SpecialTokensInTextGetTheirIdsEvenInsideAWord") {
  const auto tokenizer = Load(BareJson());
  CHECK(TokensOf(*tokenizer, "a[MASK]b") == "a [MASK] b");
  CHECK(TokensOf(*tokenizer, "[CLS][SEP]") == "[CLS] [SEP]");
  CHECK(TokensOf(*tokenizer, "[[MASK]]") == "[ [MASK] ]");
}

TEST_CASE("RawTokensAreFoundBeforeNormalization") {
  const auto tokenizer = Load(BareJson());
  CHECK(TokensOf(*tokenizer, "[mask]") == "[ mask ]");
  CHECK(TokensOf(*tokenizer, "[MA\u0301SK]") == "[ mask ]");
}

TEST_CASE("NormalizedTokensMatchNormalizedTextInNormalizedForm") {
  const auto tokenizer = Load(WithToken("Éx", {{"normalized", true}}));
  CHECK(TokensOf(*tokenizer, "aéxb") == "a Éx b");
  CHECK(TokensOf(*tokenizer, "a ex b") == "a Éx b");
  CHECK(TokensOf(*tokenizer, "aE\u0301Xb") == "a Éx b");
}

TEST_CASE("RawTokensMatchTheirExactBytesOnly") {
  const auto tokenizer = Load(WithToken("Éx", {{"normalized", false}}));
  CHECK(TokensOf(*tokenizer, "aÉxb") == "a Éx b");
  CHECK(TokensOf(*tokenizer, "a éx b") == "a [UNK] b");
}

TEST_CASE("TheLeftmostMatchWinsAndAmongThoseTheLongest") {
  json content = WithToken("<x", json::object());
  content = WithToken("<x><y>", json::object(), content);
  content = WithToken("x><y>a", json::object(), content);
  const auto tokenizer = Load(content);
  CHECK(TokensOf(*tokenizer, "<x><y>a") == "<x><y> a");
  CHECK(TokensOf(*tokenizer, "<xa") == "<x a");
  CHECK(TokensOf(*tokenizer, "ax><y>a") == "a x><y>a");
}

TEST_CASE("ATokenMayBeginInWhiteSpaceThatTheOneBeforeTook") {
  // The expected values are those of the reference library.
  const auto spans = [](bool normalized) {
    json content = WithToken("<r>", {{"rstrip", true}, {"normalized", normalized}});
    content = WithToken(" ", {{"normalized", normalized}}, content);
    EncodeOptions options;
    options.char_offsets = true;
    return EncodeWith(*Load(content), "é<r>\u3000  \u3000 b", std::nullopt, options).char_offsets;
  };
  CHECK(spans(false) == std::vector<Span>{{0, 1}, {1, 9}, {5, 6}, {6, 7}, {8, 9}, {9, 10}});
  CHECK(spans(true) == std::vector<Span>{{0, 1}, {1, 9}, {4, 5}, {5, 6}, {6, 7}, {7, 8}, {8, 9}, {9, 10}});
}

TEST_CASE("WhiteSpaceThatIsATokenAndTakesWhiteSpaceAlongStaysLinear") {
  json content = WithToken(" ", {{"rstrip", true}, {"lstrip", true}});
  content = WithToken("<r>", {{"rstrip", true}}, content);
  const auto tokenizer = Load(content);
  CHECK(TokensOf(*tokenizer, "a  <r>  b") == "a   <r> b");
  CHECK(EncodeWith(*tokenizer, std::string(1'000'000, ' ')).ids.size() == 1);
}

TEST_CASE("StrippingTokensTakeWhiteSpaceAlong") {
  // Without a pre-tokenizer and a normalizer, space that is left over shows up as unknown.
  json base = BareJson();
  base["pre_tokenizer"] = nullptr;
  base["normalizer"] = nullptr;
  CHECK(TokensOf(*Load(WithToken("X", json::object(), base)), "a  X\u3000\tb") == "[UNK] X [UNK]");
  CHECK(TokensOf(*Load(WithToken("X", {{"lstrip", true}}, base)), "a  X\u3000\tb") == "a X [UNK]");
  CHECK(TokensOf(*Load(WithToken("X", {{"rstrip", true}}, base)), "a  X\u3000\tb") == "[UNK] X b");
  CHECK(TokensOf(*Load(WithToken("X", {{"lstrip", true}, {"rstrip", true}}, base)), "a \u00a0X X \u2003b") ==
        "a X X b");
  CHECK(TokensOf(*Load(WithToken("X", {{"rstrip", true}}, base)), "X\u200bb") == "X [UNK]");
}

TEST_CASE("SingleWordTokensStandNextToNoWordCharacter") {
  const auto tokenizer = Load(WithToken("X", {{"single_word", true}}));
  CHECK(TokensOf(*tokenizer, "X") == "X");
  CHECK(TokensOf(*tokenizer, "a X.") == "a X .");
  CHECK(TokensOf(*tokenizer, "[X]") == "[ X ]");
  CHECK(TokensOf(*tokenizer, "€X€") == "[UNK] X [UNK]");
  for (const std::string word : {"a", "_", "9", "é", "中", "\u0301", "\u200d"}) {
    INFO(word);
    CHECK(TokensOf(*tokenizer, word + "X") != TokensOf(*tokenizer, word + " X"));
    CHECK(TokensOf(*tokenizer, "X" + word) != TokensOf(*tokenizer, "X " + word));
  }
}

TEST_CASE("TheSpecialOneOfTwoTokensThatNormalizeAlikeWins") {
  json content = WithToken("FOO1", {{"normalized", true}});
  content = WithToken("foo1", {{"normalized", true}, {"special", true}}, content);
  CHECK(TokensOf(*Load(content), "Foo1") == "foo1");
}

TEST_CASE("AddedTokensExtendTheVocabulary") {
  const auto tokenizer = Load(WithToken("<new>", json::object()));
  const size_t id = SmallJson()["model"]["vocab"].size();
  CHECK(tokenizer->vocab_size() == id + 1);
  CHECK(tokenizer->TokenToId("<new>") == static_cast<int32_t>(id));
  CHECK(tokenizer->IdToToken(static_cast<int32_t>(id)) == "<new>");
}

}  // namespace
}  // namespace bertha::tokenizer
