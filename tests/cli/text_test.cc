#include "clients/cli/text.h"

#include <string>
#include <utility>
#include <vector>

#include "clients/cli/progress.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

TEST_CASE("FindInvalidUtf8 accepts what Unicode calls well-formed") {
  for (const std::string& text : std::vector<std::string>{"", "plain", std::string("nul\0inside", 10), "é",
                                                          "\u0800\uFFFF", "\U00010000\U0010FFFF", "\uD7FF\uE000"}) {
    CAPTURE(text);
    CHECK_FALSE(FindInvalidUtf8(text).has_value());
  }
}

TEST_CASE("FindInvalidUtf8 names the offset of the first bad byte") {
  const std::vector<std::pair<std::string, size_t>> cases = {
      {"\x80", 0},              // a continuation without a lead
      {"ab\xFFz", 2},           // never a lead
      {"a\xC3", 1},             // ends inside a character
      {"a\xE2\x82", 1},         // likewise
      {"\xC0\xAF", 0},          // overlong, 2 bytes
      {"\xE0\x9F\xBF", 0},      // overlong, 3 bytes
      {"\xF0\x8F\xBF\xBF", 0},  // overlong, 4 bytes
      {"x\xED\xA0\x80", 1},     // a surrogate
      {"\xF4\x90\x80\x80", 0},  // beyond U+10FFFF
      {"é\xC3(", 2},            // a lead followed by ASCII
  };
  for (const auto& [text, offset] : cases) {
    CAPTURE(text, offset);
    CHECK(FindInvalidUtf8(text) == offset);
  }
}

TEST_CASE("Width counts cells, not bytes or code points") {
  CHECK(DisplayWidth("abc") == 3);
  CHECK(DisplayWidth("é") == 1);
  CHECK(DisplayWidth("e\u0301") == 1);  // combining accent
  CHECK(DisplayWidth("日本") == 4);
}

TEST_CASE("FitToWidth leaves short texts alone and marks cut ones within the width") {
  const std::vector<std::pair<std::pair<std::string, size_t>, std::string>> cases = {
      {{"hello", 5}, "hello"},
      {{"hello!", 5}, "hell…"},
      {{"日本語", 6}, "日本語"},
      {{"日本語", 5}, "日本…"},
      {{"日本語", 4}, "日…"},
      {{"x", 0}, ""},
      {{"", 3}, ""},
  };
  for (const auto& [given, expected] : cases) {
    CAPTURE(given.first, given.second);
    const std::string fitted = FitToWidth(given.first, given.second);
    CHECK(fitted == expected);
    CHECK(DisplayWidth(fitted) <= given.second);
  }
}

TEST_CASE("FitToWidth lets no text control the terminal") {
  CHECK(FitToWidth("a\tb\nc", 10) == "a b c");
  CHECK(FitToWidth("\033[2Jx", 10) == "\uFFFD[2Jx");
  CHECK(FitToWidth("\u202Eevil", 10) == "\uFFFDevil");
  CHECK(FitToWidth("bad\xFF", 10) == "bad\uFFFD");
}

TEST_CASE("EscapeInvisible shows what a terminal would obey or hide, and leaves the rest alone") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain é 日本 😀 e\u0301", "plain é 日本 😀 e\u0301"},
      {"a\tb\nc\rd", "a\\tb\\nc\\rd"},
      {"\033[2J\x7F", "\\u{1b}[2J\\u{7f}"},
      {std::string("\0", 1), "\\u{0}"},
      {"\u0085\u009B31m", "\\u{85}\\u{9b}31m"},
      {"\u202Eevil\u2066\u2028", "\\u{202e}evil\\u{2066}\\u{2028}"},
      {"a\u200Bb\uFEFF\u00AD\U000E0041", "a\\u{200b}b\\u{feff}\\u{ad}\\u{e0041}"},
      {"bad\xFF", "bad\\xff"},
  };
  for (const auto& [text, escaped] : cases) CHECK(EscapeInvisible(text) == escaped);
}

TEST_CASE("FitEndToWidth keeps the end, cut between characters") {
  CHECK(FitEndToWidth("abc", 3) == "abc");
  CHECK(FitEndToWidth("abcd", 3) == "…cd");
  CHECK(FitEndToWidth("abcd", 0).empty());
  CHECK(FitEndToWidth("", 5).empty());
  CHECK(FitEndToWidth("日本語", 6) == "日本語");
  CHECK(FitEndToWidth("日本語", 5) == "…本語");
  CHECK(FitEndToWidth("日本語", 4) == "…語");  // the ellipsis and one character: 3 cells
  CHECK(FitEndToWidth("a\nb\tc", 4) == "…b c");
}

TEST_CASE("Numbers are written for people") {
  CHECK(FormatMicros(850) == "850 µs");
  CHECK(FormatMicros(1830) == "1.83 ms");
  CHECK(FormatMicros(12345) == "12.3 ms");
  CHECK(FormatMicros(1.2e6) == "1.20 s");
  CHECK(FormatCount(999) == "999");
  CHECK(FormatCount(1234567) == "1,234,567");
}

TEST_CASE("A bar has its cells, however full") {
  CHECK(Bar(0, 4) == "    ");
  CHECK(Bar(0.5, 4) == "██  ");
  CHECK(Bar(0.53125, 4) == "██▏ ");
  CHECK(Bar(1, 4) == "████");
  CHECK(Bar(7, 4) == "████");
  CHECK(Bar(-1, 4) == "    ");
}

TEST_CASE("Progress of a known size shows percent and time left, of a pipe count and rate") {
  ProgressState state{.inputs = 12000, .bytes = 25, .total_bytes = 100, .elapsed = absl::Seconds(10)};
  CHECK(ProgressLine(state) == "▕██████                  ▏  25%  12,000 texts  1,200/s  ETA 0:30");
  state.total_bytes.reset();
  state.failed = 2;
  CHECK(ProgressLine(state) == "12,000 texts  1,200/s  2 failed  0:10");
}

TEST_CASE("Progress appears only in a run that takes half a second, then ten times a second") {
  ProgressPace pace;
  CHECK_FALSE(pace.IsDue(absl::Milliseconds(499)));
  CHECK_FALSE(pace.started());
  CHECK(pace.IsDue(absl::Milliseconds(500)));
  CHECK_FALSE(pace.IsDue(absl::Milliseconds(599)));
  CHECK(pace.IsDue(absl::Milliseconds(600)));
}

}  // namespace
}  // namespace bertha::cli
