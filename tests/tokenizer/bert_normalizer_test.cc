// What BertNormalizer makes of text. The expected strings are those of the reference library.
#include "tokenizer/bert_normalizer.h"

#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using Options = BertNormalizer::Options;

std::string Normalize(const Options& options, const std::string& text) {
  NormalizerScratch scratch;
  std::string out = "left over from an earlier call";
  BertNormalizer(options).Normalize(text, scratch, out, nullptr);
  return out;
}

struct Case {
  std::string text, expected;
};

void Check(const Options& options, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    INFO("text: " << c.text);
    CHECK(Normalize(options, c.text) == c.expected);
  }
}

constexpr Options kNothing = {false, false, false, false};
constexpr Options kClean = {true, false, false, false};
constexpr Options kChinese = {false, true, false, false};
constexpr Options kAccents = {false, false, true, false};
constexpr Options kLower = {false, false, false, true};
constexpr Options kUncased = {};
constexpr Options kCased = {true, true, false, false};

TEST_CASE("WithEveryStepOffTextStaysAsItIs") {
  Check(kNothing, {{"É\t中 \u00a0\u0301", "É\t中 \u00a0\u0301"}, {"", ""}});
}

TEST_CASE("CleanTextDropsControlsAndFormatCharactersOfUnicode8") {
  Check(kClean, {{std::string("a\0b", 3), "ab"},
                 {"a\x07"
                  "b\x7f",
                  "ab"},
                 {"a\u00ad"
                  "b",
                  "ab"},
                 {"a\u200b"
                  "b\u200d"
                  "c\ufeff",
                  "abc"},
                 {"a\ufffd"
                  "b\ue000",
                  "ab"},
                 {"a\u000b"
                  "b\u000c"
                  "c\u0085"
                  "d",
                  "abcd"},
                 {"\U000e0001x\U00100000", "x"}});
}

TEST_CASE("CleanTextKeepsUnassignedCodePointsAndNoncharacters") {
  Check(kClean, {{"a\u0378"
                  "b",
                  "a\u0378"
                  "b"},
                 {"\uffff\U0001fffe", "\uffff\U0001fffe"}});
}

TEST_CASE("CleanTextTurnsOtherWhiteSpaceIntoSpaces") {
  Check(kClean, {{"a\tb\nc\rd", "a b c d"},
                 {"a\u00a0"
                  "b\u1680"
                  "c\u2003"
                  "d\u2028"
                  "e\u202f"
                  "f\u205f"
                  "g\u3000",
                  "a b c d e f g "}});
}

TEST_CASE("CjkIdeographsGetSpacesAroundThem") {
  Check(kChinese, {{"a中b", "a 中 b"},
                   {"\u3400\u4dbf\u9fff", " \u3400  \u4dbf  \u9fff "},
                   {"\uf900\ufaff", " \uf900  \ufaff "},
                   {"\U00020000\U0002a6df\U0002a700\U0002b81f", " \U00020000  \U0002a6df  \U0002a700  \U0002b81f "},
                   {"\U0002b920\U0002ceaf\U0002f800\U0002fa1f", " \U0002b920  \U0002ceaf  \U0002f800  \U0002fa1f "}});
}

TEST_CASE("KanaHangulLaterExtensionsAndTheGapBefore2B920GetNone") {
  Check(kChinese, {{"かカ한", "かカ한"},
                   {"\U0002b820\U0002b91f", "\U0002b820\U0002b91f"},
                   {"\U0002ceb0\U00030000", "\U0002ceb0\U00030000"},
                   {"\u4dc0\ua000", "\u4dc0\ua000"}});
}

TEST_CASE("AccentsAreNonspacingMarksOfUnicode8AfterDecomposition") {
  Check(kAccents, {{"ÀÉñ", "AEn"},
                   {"e\u0301\u0323", "e"},
                   {"हिन्दी", "हिनदी"},             // spacing vowel signs stay, the virama goes
                   {"\u08d4", "\u08d4"},           // a mark since Unicode 9
                   {"\u0903", "\u0903"},           // Mc
                   {"\u20dd", "\u20dd"},           // Me
                   {"Ｅ", "Ｅ"},                   // compatibility characters do not decompose
                   {"\u212b\u2126", "A\u03a9"}});  // singletons do
}

TEST_CASE("DecompositionIsThatOfUnicode9") {
  Check(kAccents, {{"\U00011938", "\U00011938"}, {"\U0001109a", "\U00011099"}});
}

TEST_CASE("HangulSyllablesDecomposeIntoJamoWhenAccentsAreStripped") {
  Check(kAccents, {{"한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"}, {"가힣", "\u1100\u1161\u1112\u1175\u11c2"}});
}

TEST_CASE("MarksThatStayAreInCanonicalOrder") {
  // U+302E, U+302F (class 224) and U+1D165 (216) are spacing; U+08D5 (230) is a mark since Unicode 9 only.
  Check(kAccents, {{"x\u08d5\u302e", "x\u302e\u08d5"},
                   {"x\u302e\U0001d165", "x\U0001d165\u302e"},
                   {"x\u08d5\u0301\u302e\U0001d165", "x\U0001d165\u302e\u08d5"},
                   {"x\u08d5\u034f\u302e", "x\u08d5\u302e"},  // U+034F ends a run, though it is stripped itself
                   {"\u08d5\u302e", "\u302e\u08d5"}});
}

TEST_CASE("ADroppedControlDoesNotEndARunOfMarks") {
  Check(kUncased, {{"x\u08d5\x07\u302e", "x\u302e\u08d5"}, {"x\u08d5\u200b\u302e", "x\u302e\u08d5"}});
}

TEST_CASE("LowercaseIsPerCharacterAndWithoutContext") {
  Check(kLower, {{"ΑΣ", "ασ"},
                 {"İ", "i\u0307"},
                 {"ẞ", "ß"},
                 {"ÀÉ", "àé"},
                 {"Ⅷ", "ⅷ"},
                 {"\U00010400", "\U00010428"},
                 {"\ua7ce", "\ua7cf"},  // Unicode 17
                 {"\U00016ea0", "\U00016ebb"}});
}

TEST_CASE("UncasedTextLosesAccentsAndCapitals") {
  Check(kUncased, {{"É ÀB\u0301", "e ab"}, {"İ", "i"}, {"한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"}, {"Ǖ", "u"}});
}

TEST_CASE("CasedTextIsNotDecomposed") { Check(kCased, {{"É e\u0301 한국", "É e\u0301 한국"}, {"中É", " 中 É"}}); }

TEST_CASE("IdeographsAreSpacedBeforeTheyAreDecomposed") {
  Check(kUncased, {{"a\uf900"
                    "b",
                    "a \u8c48 b"},
                   {"\U0002f800", " \u4e3d "}});
}

/// Text in which ASCII, marks, controls and other scripts alternate often.
std::string RandomText(std::mt19937& rng) {
  const std::vector<char32_t> limits = {0x80, 0x80, 0x80, 0x370, 0x3000, 0x20000};
  std::string text;
  for (size_t length = rng() % 40; length > 0; --length) {
    const char32_t cp = rng() % 4 == 0 ? 0x300 + rng() % 0x70 : rng() % limits[rng() % limits.size()];
    if (cp < 0xD800 || cp > 0xDFFF) AppendUtf8(cp, &text);
  }
  return text;
}

/// Begin and end of the source of each code point.
std::vector<size_t> Sources(const std::string& normalized, const Alignment& alignment) {
  std::vector<size_t> sources;
  Alignment::Reader reader(alignment, 0);
  for (size_t at = 0; at < normalized.size();) {
    const size_t begin = at;
    DecodeUtf8(normalized, &at);
    const ByteRange source = reader.SourceOf({begin, at});
    sources.insert(sources.end(), {source.begin, source.end});
  }
  return sources;
}

TEST_CASE("TheAsciiFastPathEqualsThePlainPath") {
  std::mt19937 rng(4);
  for (unsigned settings = 0; settings < 16; ++settings) {
    const BertNormalizer normalizer(
        {(settings & 1) != 0, (settings & 2) != 0, (settings & 4) != 0, (settings & 8) != 0});
    NormalizerScratch scratch;
    std::string fast, plain;
    for (int i = 0; i < 2000; ++i) {
      const std::string text = RandomText(rng);
      normalizer.Normalize(text, scratch, fast, nullptr);
      normalizer.NormalizePlainly(text, scratch, plain, nullptr);
      REQUIRE(fast == plain);
      Alignment fast_alignment, plain_alignment;
      normalizer.Normalize(text, scratch, fast, &fast_alignment);
      REQUIRE(fast == plain);
      normalizer.NormalizePlainly(text, scratch, plain, &plain_alignment);
      REQUIRE(fast == plain);
      REQUIRE(Sources(fast, fast_alignment) == Sources(plain, plain_alignment));
    }
  }
}

}  // namespace
}  // namespace bertha::tokenizer
