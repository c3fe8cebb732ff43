#include "tokenizer/bert_pre_tokenizer.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using Words = std::vector<std::string>;

Words Split(const std::string& text) {
  std::vector<ByteRange> ranges;
  BertPreTokenizer().Split(text, {0, text.size()}, ranges);
  Words words;
  for (const ByteRange& range : ranges) words.emplace_back(range.of(text));
  return words;
}

TEST_CASE("WordsEndAtWhiteSpaceWhichIsDropped") {
  CHECK(Split("") == Words{});
  CHECK(Split(" \t\n ") == Words{});
  CHECK(Split("  hello  world ") == Words{"hello", "world"});
  CHECK(Split("a\u00a0b\u3000c") == Words{"a", "b", "c"});
}

TEST_CASE("EachPunctuationCharacterIsAWord") {
  CHECK(Split("don't!!") == Words{"don", "'", "t", "!", "!"});
  CHECK(Split("...") == Words{".", ".", "."});
  CHECK(Split("“a”，b") == Words{"“", "a", "”", "，", "b"});
}

TEST_CASE("EveryAsciiSymbolIsPunctuation") {
  for (const char c : std::string("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")) {
    INFO(c);
    CHECK(Split(std::string("a") + c + "b") == Words{"a", std::string(1, c), "b"});
  }
}

TEST_CASE("PunctuationIsThatOfUnicode8") {
  CHECK(Split("a\u2e42"
              "b") == Words{"a", "\u2e42", "b"});  // since Unicode 7
  CHECK(Split("a\u2e44"
              "b") == Words{"a\u2e44"
                            "b"});  // since Unicode 9
}

TEST_CASE("SymbolsOutsideAsciiAreNoPunctuation") {
  for (const std::string symbol : {"€", "©", "°", "½", "→", "²"}) {
    CHECK(Split("a" + symbol + "b") == Words{"a" + symbol + "b"});
  }
}

TEST_CASE("WhiteSpaceIsTheTwentyFiveCodePointsOfWhiteSpace") {
  std::vector<char32_t> spaces;
  for (char32_t cp = 0; cp < 0x110000; ++cp) {
    if (cp >= 0xD800 && cp <= 0xDFFF) continue;
    std::string text = "a";
    AppendUtf8(cp, &text);
    if (Split(text + "b") == Words{"a", "b"}) spaces.push_back(cp);
  }
  CHECK(spaces == std::vector<char32_t>{9,      10,     11,     12,     13,     0x20,   0x85,   0xA0,   0x1680,
                                        0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                        0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000});
}

TEST_CASE("TheFastPathForLettersEqualsThePlainPath") {
  std::mt19937 rng(8);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (size_t length = rng() % 80; length > 0; --length) {
      constexpr char32_t kOthers[] = {U' ', U'\n', U'!', U'@', U'_', U'é', U'\u00a0', U'中', U'。', U'€', U'😀', U'\0'};
      AppendUtf8(rng() % 3 != 0 ? U'a' + rng() % 26 : kOthers[rng() % std::size(kOthers)], &text);
    }
    // A part begins and ends between characters.
    ByteRange part = {rng() % (text.size() + 1), text.size()};
    part.end -= rng() % (part.size() + 1);
    while (part.begin < text.size() && !IsUtf8Start(text[part.begin])) ++part.begin;
    while (part.end < text.size() && !IsUtf8Start(text[part.end])) ++part.end;
    std::vector<ByteRange> fast, plain;
    BertPreTokenizer().Split(text, part, fast);
    BertPreTokenizer().SplitPlainly(text, part, plain);
    const auto same = [](const ByteRange& a, const ByteRange& b) { return a.begin == b.begin && a.end == b.end; };
    INFO(text << " from " << part.begin << " to " << part.end);
    REQUIRE(std::equal(fast.begin(), fast.end(), plain.begin(), plain.end(), same));
  }
}

}  // namespace
}  // namespace bertha::tokenizer
