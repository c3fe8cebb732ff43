// The words of ByteLevel, and the spans that trim_offsets leaves. The expected values are those of the reference
// library.
#include <string>
#include <vector>

#include "tests/tokenizer/bpe_support.h"
#include "tokenizer/byte_level.h"

namespace bertha::tokenizer {
namespace {

using Spans = std::vector<Span>;

/// The words of a text, with bars between them.
std::string WordsOf(const std::string& text, const ByteLevel::Options& options = {false, true}) {
  PreTokenized words;
  words.Start(text, true, false);
  ByteLevel(options).PreTokenize(words);
  std::string joined;
  for (const ByteRange& word : words.words()) {
    if (!joined.empty()) joined += '|';
    joined += std::string(word.of(words.text()));
  }
  return joined;
}

TEST_CASE("AWordTakesTheOneSpaceBeforeItAlong") {
  CHECK(WordsOf("hello world") == "hello| world");
  CHECK(WordsOf("a   b") == "a|  | b");
  CHECK(WordsOf("a \n b") == "a| \n| b");
  CHECK(WordsOf("a\n\nb") == "a|\n|\n|b");
  CHECK(WordsOf("  a  ") == " | a|  ");
  CHECK(WordsOf(" ") == " ");
  CHECK(WordsOf("a ") == "a| ");
  CHECK(WordsOf("") == "");
}

TEST_CASE("LettersDigitsAndTheRestAreWordsOfTheirOwn") {
  CHECK(WordsOf("abc123!?x") == "abc|123|!?|x");
  CHECK(WordsOf("a 12 ... b") == "a| 12| ...| b");
  CHECK(WordsOf("x²½Ⅷ٣") == "x|²½Ⅷ٣");
}

TEST_CASE("ContractionsAreLowerCaseWithAStraightApostrophe") {
  CHECK(WordsOf("it's we're I've I'm she'll he'd don't") == "it|'s| we|'re| I|'ve| I|'m| she|'ll| he|'d| don|'t");
  CHECK(WordsOf("IT'S it\u2019s") == "IT|'|S| it|\u2019|s");
  CHECK(WordsOf("'sx 's !'s 'r 'v") == "'s|x| '|s| !'|s| '|r| '|v");
  CHECK(WordsOf("'l") == "'|l");
  CHECK(WordsOf("'") == "'");
}

TEST_CASE("MarksAreNoLetters") { CHECK(WordsOf("a\u0301b") == "a|\u0301|b"); }

TEST_CASE("OnlyASpaceGoesWithTheNextWord") {
  CHECK(WordsOf("a\u00a0b") == "a|\u00a0|b");
  CHECK(WordsOf("a\u00a0 b") == "a|\u00a0| b");
  CHECK(WordsOf("a \u3000b") == "a| |\u3000|b");
  CHECK(WordsOf("a\u3000\u3000b") == "a|\u3000|\u3000|b");
}

TEST_CASE("WhiteSpaceIsTheUnicodePropertyOfThatName") {
  for (const char* space :
       {"\t", "\v", "\u0085", "\u00a0", "\u1680", "\u2000", "\u200a", "\u2028", "\u202f", "\u3000"}) {
    CHECK(WordsOf(std::string("!") + space + "!") == std::string("!|") + space + "|!");
  }
  for (const char* other : {"\x1c", "\x1f", "\u180e", "\u200b", "\ufeff"}) {
    CHECK(WordsOf(std::string("!") + other + "!") == std::string("!") + other + "!");
  }
}

TEST_CASE("LettersAreThoseOfUnicode16") {
  CHECK(WordsOf("a\u1c89b") == "a\u1c89b");
  CHECK(WordsOf("a\ua7ceb") == "a|\ua7ce|b");
}

TEST_CASE("APrefixSpaceIsAddedWhereThereIsNone") {
  CHECK(WordsOf("a b", {true, true}) == " a| b");
  CHECK(WordsOf(" a b", {true, true}) == " a| b");
  CHECK(WordsOf("\na", {true, true}) == " |\n|a");
  CHECK(WordsOf("", {true, true}) == "");
}

TEST_CASE("WithoutTheRegularExpressionASectionIsOneWord") {
  CHECK(WordsOf("it's 3 o'clock", {false, false}) == "it's 3 o'clock");
  CHECK(WordsOf("it's", {true, false}) == " it's");
}

json WithTrim(bool prefix_space, bool keep_prefix_space) {
  json content = BpeJson({{"Ġ", "b"}, {"Ġ", "Ġ"}});
  content["pre_tokenizer"]["add_prefix_space"] = prefix_space;
  content["post_processor"] = {
      {"type", "ByteLevel"}, {"trim_offsets", true}, {"add_prefix_space", keep_prefix_space}, {"use_regex", true}};
  return content;
}

Encoding OffsetsOf(const json& content, const std::string& text, EncodeOptions options = {}) {
  options.offsets = options.char_offsets = true;
  return EncodeWith(*Load(content), text, std::nullopt, options);
}

TEST_CASE("TheBytesOfACharacterAllHaveItsSpan") {
  const Encoding encoding = OffsetsOf(BpeJson(), "é😀");
  CHECK(encoding.offsets == Spans{{0, 2}, {0, 2}, {2, 6}, {2, 6}, {2, 6}, {2, 6}});
  CHECK(encoding.char_offsets == Spans{{0, 1}, {0, 1}, {1, 2}, {1, 2}, {1, 2}, {1, 2}});
}

TEST_CASE("TrimOffsetsTakesSpacesOutOfSpans") {
  CHECK(OffsetsOf(BpeJson({{"Ġ", "b"}}), "a b").offsets == Spans{{0, 1}, {1, 3}});
  CHECK(OffsetsOf(WithTrim(false, false), "a b").offsets == Spans{{0, 1}, {2, 3}});
  CHECK(OffsetsOf(WithTrim(false, false), "a  b").offsets == Spans{{0, 1}, {2, 2}, {3, 4}});
  CHECK(OffsetsOf(WithTrim(false, false), "a ").offsets == Spans{{0, 1}, {2, 2}});
}

TEST_CASE("ThePrefixSpaceHasTheSpanOfTheFirstCharacter") {
  json untrimmed = WithTrim(true, true);
  untrimmed["post_processor"] = nullptr;
  CHECK(OffsetsOf(untrimmed, "éb").offsets == Spans{{0, 2}, {0, 2}, {0, 2}, {2, 3}});
  CHECK(OffsetsOf(untrimmed, "b").offsets == Spans{{0, 1}});
}

TEST_CASE("ASingleSpaceThatMayHaveBeenAddedIsKept") {
  CHECK(OffsetsOf(WithTrim(true, true), "b").offsets == Spans{{0, 1}});
  CHECK(OffsetsOf(WithTrim(true, false), "b").offsets == Spans{{1, 1}});
  CHECK(OffsetsOf(WithTrim(false, true), "  a").offsets == Spans{{0, 0}, {2, 2}, {2, 3}});
  CHECK(OffsetsOf(WithTrim(false, true), "   b").offsets == Spans{{2, 2}, {3, 4}});
}

TEST_CASE("TheFirstTokenOfAWindowCountsAsTheFirstOfItsText") {
  EncodeOptions options;
  options.max_length = 1;
  options.truncation_side = TruncationSide::kLeft;
  CHECK(OffsetsOf(WithTrim(false, true), "a b", options).offsets == Spans{{1, 3}});
  CHECK(OffsetsOf(WithTrim(false, false), "a b", options).offsets == Spans{{2, 3}});
}

TEST_CASE("AnAddedTokenLosesTheWhiteSpaceThatItTookAlong") {
  json content = WithTrim(false, false);
  content["added_tokens"].push_back({{"id", 258},
                                     {"content", "<m>"},
                                     {"single_word", false},
                                     {"lstrip", true},
                                     {"rstrip", true},
                                     {"normalized", false},
                                     {"special", true}});
  const Encoding encoding = OffsetsOf(content, "a \u3000<m> b");
  CHECK(encoding.ids == std::vector<int32_t>{'a' - '!' + 33, 258, 'b' - '!' + 33});
  CHECK(encoding.offsets == Spans{{0, 1}, {5, 8}, {9, 10}});
  CHECK(encoding.char_offsets == Spans{{0, 1}, {3, 6}, {7, 8}});
}

TEST_CASE("RobertaPutsTwoSeparatorsBetweenTextsOfTypeZero") {
  json content = BpeJson();
  content["post_processor"] = {{"type", "RobertaProcessing"},
                               {"sep", {"!", 33}},
                               {"cls", {"#", 35}},
                               {"trim_offsets", true},
                               {"add_prefix_space", true}};
  const auto tokenizer = Load(content);
  CHECK(EncodeWith(*tokenizer, "a").ids == std::vector<int32_t>{35, 97, 33});
  const Encoding pair = EncodeWith(*tokenizer, "a", "b");
  CHECK(pair.ids == std::vector<int32_t>{35, 97, 33, 33, 98, 33});
  CHECK(pair.type_ids == std::vector<int32_t>(6, 0));
}

TEST_CASE("ASequenceOfPostProcessorsTrimsFirst") {
  json content = BpeJson();
  content["post_processor"] = json::parse(R"({"type": "Sequence", "processors": [
      {"type": "ByteLevel", "trim_offsets": true, "add_prefix_space": false, "use_regex": true},
      {"type": "RobertaProcessing", "sep": ["!", 33], "cls": ["#", 35], "trim_offsets": false,
       "add_prefix_space": false}]})");
  const Encoding encoding = OffsetsOf(content, " a");
  CHECK(encoding.ids == std::vector<int32_t>{35, 32, 97, 33});
  CHECK(encoding.offsets == Spans{{0, 0}, {1, 1}, {1, 2}, {0, 0}});
  std::swap(content["post_processor"]["processors"][0], content["post_processor"]["processors"][1]);
  CHECK(Tokenizer::FromJson(content.dump()).status() ==
        absl::UnimplementedError("$.post_processor.processors[1]: only ByteLevel is supported before the last"));
}

TEST_CASE("ByteLevelAndBpeAreSupportedTogetherOnly") {
  json content = BpeJson();
  content["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  CHECK(Tokenizer::FromJson(content.dump()).status() ==
        absl::UnimplementedError("$.pre_tokenizer: the model BPE is supported with ByteLevel only, the last one if "
                                 "there are several"));
  content = SmallJson();
  content["pre_tokenizer"] = BpeJson()["pre_tokenizer"];
  CHECK(Tokenizer::FromJson(content.dump()).status() ==
        absl::UnimplementedError("$.pre_tokenizer: ByteLevel is supported with the model BPE only"));
  content = BpeJson();
  content["pre_tokenizer"] = {{"type", "Sequence"},
                              {"pretokenizers", {BpeJson()["pre_tokenizer"], {{"type", "BertPreTokenizer"}}}}};
  CHECK(Tokenizer::FromJson(content.dump()).status() ==
        absl::UnimplementedError("$.pre_tokenizer: a pre-tokenizer after ByteLevel is not supported"));
}

}  // namespace
}  // namespace bertha::tokenizer
