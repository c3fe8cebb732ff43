// The parts of `bertha tokenize` that need no terminal: requests, answers, the stream, the view.
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "clients/cli/encoding_json.h"
#include "clients/cli/encoding_view.h"
#include "clients/cli/tokenize_request.h"
#include "clients/cli/tokenize_stream.h"
#include "tests/catch.h"
#include "tests/cli/sources.h"
#include "tests/tokenizer/support.h"

namespace bertha::cli {
namespace {

using nlohmann::json;
using tokenizer::BareJson;
using tokenizer::EncodeOptions;
using tokenizer::Load;
using tokenizer::SmallJson;
using tokenizer::TruncationSide;
using tokenizer::TruncationStrategy;

std::string ErrorOf(absl::string_view line) { return std::string(ParseTokenizeRequest(line).status().message()); }

TEST_CASE("A request has what the line says and the library's defaults for the rest") {
  const auto plain = ParseTokenizeRequest(R"({"text": "a"})");
  REQUIRE(plain.ok());
  CHECK(plain->text == "a");
  CHECK_FALSE(plain->pair.has_value());
  CHECK_FALSE(plain->max_length.has_value());
  CHECK(plain->stride == 0);
  CHECK(plain->strategy == TruncationStrategy::kLongestFirst);
  CHECK(plain->side == TruncationSide::kRight);

  const auto full = ParseTokenizeRequest(
      R"( {"truncation": {"direction": "left", "strategy": "only_second"}, "stride": 2, "max_length": 18446744073709551615,
           "pair": "", "text": "\u00e9\ud83d\ude00\u0000"} )");
  REQUIRE(full.ok());
  CHECK(full->text == std::string("é😀\0", 7));
  CHECK(full->pair == "");
  CHECK(full->max_length == SIZE_MAX);
  CHECK(full->stride == 2);
  CHECK(full->strategy == TruncationStrategy::kOnlySecond);
  CHECK(full->side == TruncationSide::kLeft);
}

TEST_CASE("null is a missing value, but a text is needed") {
  const auto request = ParseTokenizeRequest(
      R"({"text": "a", "pair": null, "max_length": null, "stride": null, "truncation": {"strategy": null}})");
  REQUIRE(request.ok());
  CHECK_FALSE(request->pair.has_value());
  CHECK_FALSE(request->max_length.has_value());
  CHECK(ParseTokenizeRequest(R"({"text": "a", "truncation": null})").ok());
  CHECK(ErrorOf(R"({"text": null})") == "text must be a string, is null");
}

TEST_CASE("What is wrong with a request is said with its place") {
  const std::string integer = " must be an integer from 0 to 18446744073709551615, is ";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "the line is empty; it must be a JSON object such as {\"text\": \"some words\"}"},
      {" \t\r", "the line is empty; it must be a JSON object such as {\"text\": \"some words\"}"},
      {"nonsense", "not JSON at byte 1: invalid literal"},
      {R"({"text": "a"} x)", "not JSON at byte 14: invalid literal"},
      {R"({"text": "a",})", "not JSON at byte 13: unexpected '}'; expected string literal"},
      {R"({"text": "a)", "not JSON at byte 11: invalid string: missing closing quote"},
      {std::string("{\"text\": \"a\"}\0x", 15), "not JSON at byte 13: NUL"},
      {"{\"text\": \"a\xFF\"}", "not JSON at byte 11: invalid string: ill-formed UTF-8 byte"},
      {R"({"text": "\udc00"})",
       "not JSON at byte 15: invalid string: surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF"},
      {"[]", "the line must be a JSON object, is an array"},
      {"17", "the line must be a JSON object, is 17"},
      {R"({})", "text is missing"},
      {R"({"text": {}})", "text must be a string, is an object"},
      {R"({"text": false})", "text must be a string, is false"},
      {R"({"text": "a", "pair": []})", "pair must be a string, is an array"},
      {R"({"text": "a", "max_length": -1})", "max_length" + integer + "-1"},
      {R"({"text": "a", "max_length": 2.5})", "max_length" + integer + "2.5"},
      {R"({"text": "a", "max_length": "7"})", "max_length" + integer + "\"7\""},
      {R"({"text": "a", "stride": 18446744073709551616})", "stride" + integer + "18446744073709551616"},
      {R"({"text": "a", "stride": )" + std::string(250, '1') + "}",
       "stride" + integer + "11111111111111111111... (250 digits)"},
      {R"({"text": "a", "stride": 1e999})", "not JSON at byte 28: number out of range"},
      {R"({"text": "a", "truncation": "left"})", "truncation must be an object, is \"left\""},
      {R"({"text": "a", "truncation": {"strategy": 1}})", "truncation.strategy must be a string, is 1"},
      {R"({"text": "a", "truncation": {"strategy": "none"}})",
       "truncation.strategy must be longest_first, only_first or only_second, is \"none\""},
      {R"({"text": "a", "truncation": {"direction": "up"}})", "truncation.direction must be right or left, is \"up\""},
      {R"({"text": "a", "txt": "b"})", "unknown key \"txt\"; known: text, pair, max_length, truncation, stride"},
      {R"({"text": "a", "truncation": {"text": "b"}})",
       "unknown key \"text\" in truncation; known: strategy, direction"},
      {R"({"text": "a", "text": "a"})", "text is there twice"},
      {R"({"text": "a", "truncation": {"strategy": null, "strategy": null}})", "truncation.strategy is there twice"},
  };
  for (const auto& [line, error] : cases) CHECK(ErrorOf(line) == error);
}

TEST_CASE("Nesting costs no stack, and a long token no long message") {
  CHECK(ErrorOf(std::string(5'000'000, '[')) == "the line must be a JSON object, is an array");
  CHECK(ErrorOf("{\"text\": \"a\", \"truncation\": " + std::string(5'000'000, '{')) ==
        "not JSON at byte 29: unexpected '{'; expected string literal");
  CHECK(ErrorOf("{\"text\": \"" + std::string(5'000'000, 'x')).size() < 200);
  CHECK(ErrorOf("{\"" + std::string(5'000'000, 'x') + "\": 1}").size() < 300);
}

std::string AnswerOf(const json& content, absl::string_view line) {
  const auto tokenizer = Load(content);
  RequestEncoder encoder(*tokenizer);
  std::string out;
  AnswerTokenizeLine(line, encoder, &out);
  return out;
}

TEST_CASE("An answer has all fields, of characters and of bytes") {
  CHECK(AnswerOf(SmallJson(), R"({"text": "ab É", "pair": "ba"})") ==
        R"({"ids":[2,9,12,3,6,7,3],"type_ids":[0,0,0,0,1,1,1],)"
        R"("offsets":[[0,0],[0,2],[3,4],[0,0],[0,1],[1,2],[0,0]],)"
        R"("byte_offsets":[[0,0],[0,2],[3,5],[0,0],[0,1],[1,2],[0,0]],)"
        R"("tokens":["[CLS]","ab","e","[SEP]","b","##a","[SEP]"],"special_tokens_mask":[1,0,0,1,0,0,1]})"
        "\n");
}

TEST_CASE("Windows are there if something was cut, and only then") {
  CHECK(AnswerOf(BareJson(), R"({"text": "a b a", "max_length": 2, "stride": 1})") ==
        R"({"ids":[5,6],"type_ids":[0,0],"offsets":[[0,1],[2,3]],"byte_offsets":[[0,1],[2,3]],"tokens":["a","b"],)"
        R"("special_tokens_mask":[0,0],"overflow":[{"ids":[6,5],"type_ids":[0,0],"offsets":[[2,3],[4,5]],)"
        R"("byte_offsets":[[2,3],[4,5]],"tokens":["b","a"],"special_tokens_mask":[0,0]}]})"
        "\n");
  CHECK_FALSE(absl::StrContains(AnswerOf(BareJson(), R"({"text": "a b", "max_length": 2})"), "overflow"));
  CHECK(AnswerOf(BareJson(), R"({"text": ""})") ==
        R"({"ids":[],"type_ids":[],"offsets":[],"byte_offsets":[],"tokens":[],"special_tokens_mask":[]})"
        "\n");
}

TEST_CASE("Nothing is cut without max_length, whatever the file and the request say") {
  json content = SmallJson();
  content["truncation"] = {{"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}, {"direction", "Right"}};
  const json answer =
      json::parse(AnswerOf(content, R"({"text": "a b a b", "stride": 99, "truncation": {"strategy": "only_second"}})"));
  CHECK(answer["ids"].size() == 6);
}

TEST_CASE("What the tokenizer refuses is an answer too") {
  CHECK(AnswerOf(SmallJson(), R"({"text": "a b a", "max_length": 4, "stride": 2})") ==
        "{\"error\":\"stride 2: must be less than the 2 tokens that truncation leaves of the first text\"}\n");
  CHECK(AnswerOf(BareJson(), absl::StrCat(R"({"max_length": 2, "text": ")", std::string(20'000, '.'), R"(", "pair": ")",
                                          std::string(20'000, '.'), "\"}")) ==
        "{\"error\":\"overflow: there would be 400000000 windows of up to 2 tokens, and 16777216 tokens are the limit; "
        "raise max_length or lower stride\"}\n");
}

TEST_CASE("Strings are escaped as JSON wants and so that they neither end a line nor drive a terminal") {
  std::string out;
  AppendErrorLine("q\" b\\ \n\x1B\x7F é\u0085\u009B\u2028\u202E😀", &out);
  CHECK(out == "{\"error\":\"q\\\" b\\\\ \\u000a\\u001b\\u007f é\\u0085\\u009b\\u2028\\u202e😀\"}\n");
}

TEST_CASE("However a line is damaged, the answer is one line of JSON") {
  const auto tokenizer = Load(SmallJson());
  RequestEncoder encoder(*tokenizer);
  const std::string good =
      R"({"text": "ab É 😀 \ud83d\ude00 [MASK]", "pair": "unaffable", "max_length": 9, "stride": 1,)"
      R"( "truncation": {"strategy": "only_first", "direction": "left"}})";
  std::mt19937 random(1);
  size_t answered = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string line = good;
    for (unsigned edits = random() % 4; edits > 0; --edits) {
      const size_t at = random() % line.size();
      const unsigned kind = random() % 3;
      if (kind == 0) line[at] = static_cast<char>(random());
      if (kind == 1) line.erase(at, 1 + random() % 4);
      if (kind == 2) line.insert(at, line.substr(random() % line.size(), random() % 6));
    }
    std::string out;
    AnswerTokenizeLine(line, encoder, &out);
    REQUIRE(out.find('\n') == out.size() - 1);
    const json answer = json::parse(out, nullptr, /*allow_exceptions=*/false);
    REQUIRE(answer.is_object());
    REQUIRE(answer.contains("error") != answer.contains("ids"));
    answered += answer.contains("ids");
  }
  CHECK(answered > 5'000);  // some edits are none, or harmless
  CHECK(answered < 15'000);
}

TEST_CASE("All lines are answered in order, with large writes") {
  const auto tokenizer = Load(SmallJson());
  std::string lines;
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&lines, i % 7 == 0 ? "bad\n" : "{\"text\": \"a b\"}\n");
  const TempFile file(lines);
  LineReader reader(file.fd(), kMaxRequestBytes);
  std::string out;
  size_t writes = 0;
  REQUIRE(TokenizeStream(*tokenizer, reader, [&](absl::string_view text) {
            absl::StrAppend(&out, text);
            ++writes;
          }).ok());
  const std::vector<std::string> answers = absl::StrSplit(out, '\n', absl::SkipEmpty());
  REQUIRE(answers.size() == 20'000);
  for (size_t i = 0; i < answers.size(); ++i) REQUIRE(absl::StrContains(answers[i], "error") == (i % 7 == 0));
  CHECK(writes < out.size() / 100'000);
}

TEST_CASE("Whoever waits for an answer gets it before the next line, while half a line is there, and at the end") {
  alarm(10);  // an answer that is held back must fail, not hang
  const auto tokenizer = Load(SmallJson());
  Pipe pipe;
  LineReader reader(pipe.fd(), kMaxRequestBytes);
  std::vector<std::string> outs;
  pipe.Write("{\"text\": \"a\"}\n{\"text\": ");
  REQUIRE(TokenizeStream(*tokenizer, reader, [&](absl::string_view text) {
            if (text.empty()) return;
            outs.emplace_back(text);
            if (outs.size() == 1) pipe.Write("\"b\"}\n");
            if (outs.size() == 2) {
              pipe.Write("{\"text\": \"ab\"}");  // no line end
              pipe.Close();
            }
          }).ok());
  alarm(0);
  REQUIRE(outs.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(json::parse(outs[i])["ids"][1] == std::vector<int>{5, 6, 9}[i]);
}

TEST_CASE("A line over the limit is answered with its size; its neighbours are not touched") {
  const auto tokenizer = Load(SmallJson());
  const TempFile file("{\"text\": \"a\"}\n" + std::string(kMaxRequestBytes + 1, ' ') + "\n{\"text\": \"b\"}\n");
  LineReader reader(file.fd(), kMaxRequestBytes);
  std::string out;
  REQUIRE(TokenizeStream(*tokenizer, reader, [&](absl::string_view text) { absl::StrAppend(&out, text); }).ok());
  const std::vector<std::string> answers = absl::StrSplit(out, '\n');
  REQUIRE(answers.size() == 4);
  CHECK(answers[1] == "{\"error\":\"the line has 33554433 bytes; at most 33554432 are read; split the text\"}");
  CHECK(json::parse(answers[2])["ids"][1] == 6);
}

TEST_CASE("A source that breaks is an error after the answers to what came before") {
  const auto tokenizer = Load(SmallJson());
  LineReader reader(-1, kMaxRequestBytes);
  CHECK(
      absl::StrContains(TokenizeStream(*tokenizer, reader, [](absl::string_view) {}).message(), "Bad file descriptor"));
}

std::string ViewOf(const json& content, const TokenizeRequest& request, bool color = false) {
  const auto tokenizer = Load(content);
  RequestEncoder encoder(*tokenizer);
  REQUIRE(encoder.Encode(request).ok());
  EncodingView view(color, {1});
  return view.Show({.request = request,
                    .encoding = encoder.encoding(),
                    .overflow = encoder.overflow(),
                    .first_tokens = encoder.FirstTokens(request),
                    .time_us = 12});
}

TEST_CASE("The view shows the marked text, the tokens with their kinds, and a summary") {
  CHECK(ViewOf(SmallJson(), {.text = "unaffable É?"}) ==
        "un|aff|able É|?\n"
        "    #  TOKEN         ID  TYPE        CHARS        BYTES   WORD\n"
        "    0  [CLS]          2     0            -            -      -  special\n"
        "    1  un            13     0          0:2          0:2      0\n"
        "    2  ##aff         14     0          2:5          2:5      0  continues\n"
        "    3  ##able        15     0          5:9          5:9      0  continues\n"
        "    4  e             12     0        10:11        10:12      1\n"
        "    5  [UNK]          1     0        11:12        12:13      2  unknown\n"
        "    6  [SEP]          3     0            -            -      -  special\n"
        "7 tokens (2 special, 1 unknown), 13 bytes, 2.60 bytes per token, 12 µs\n");
}

TEST_CASE("In colour, neighbours differ, unknown tokens are red, and what no token covers is dim") {
  const std::string view = ViewOf(BareJson(), {.text = "ab?\ta b", .max_length = 3}, true);
  CHECK(absl::StartsWith(
      view, "\033[30;46mab\033[0m\033[37;41m?\033[0m\033[2m\\t\033[0m\033[30;46ma\033[0m\033[2m b\033[0m\n"));
  CHECK(absl::StrContains(view, "\033[2mwindow 2:\033[0m b\n"));
}

TEST_CASE("Of a pair each text is marked with its own tokens, however little is left of them") {
  using Side = TruncationSide;
  const std::vector<std::pair<TokenizeRequest, std::string>> cases = {
      {{.text = "aba", .pair = "baab"}, "text: ab|a\npair: b|a|ab\n"},
      {{.text = "", .pair = "ba"}, "text: \npair: b|a\n"},
      {{.text = "ba", .pair = ""}, "text: b|a\npair: \n"},
      {{.text = "bbb", .pair = "bbbb", .max_length = 6}, "text: bbb\npair: b|bbb\n"},
      {{.text = "bbb", .pair = "bbbb", .max_length = 6, .side = Side::kLeft}, "text: bbb\npair: bbb|b\n"},
      {{.text = "bbb", .pair = "bbbb", .max_length = 3}, "text: bbb\npair: bbbb\n"},
      {{.text = "bbb", .pair = "bbbb", .max_length = 2}, "text: b|b|b\npair: b|b|b|b\n"},
  };
  for (const auto& [request, marked] : cases) {
    const std::string view = ViewOf(SmallJson(), request);
    CAPTURE(request.text, *request.pair, view);
    CHECK(absl::StartsWith(view, marked));
  }
}

TEST_CASE("The first word of a second text continues none, even without special tokens between") {
  const std::string view = ViewOf(BareJson(), {.text = "aba", .pair = "b"});
  const std::vector<std::string> lines = absl::StrSplit(view, '\n');
  CHECK(absl::EndsWith(lines[4], "continues"));
  CHECK(absl::EndsWith(lines[5], "0:1      0"));
}

TEST_CASE("Several texts end with their sums, a single one does not") {
  const auto tokenizer = Load(SmallJson());
  RequestEncoder encoder(*tokenizer);
  EncodingView view(false, {1});
  const auto show = [&](const TokenizeRequest& request) {
    REQUIRE(encoder.Encode(request).ok());
    view.Show({.request = request, .encoding = encoder.encoding(), .overflow = encoder.overflow(), .time_us = 1000});
  };
  CHECK(view.End().empty());
  show({.text = "a ?"});
  CHECK(view.End().empty());
  show({.text = "a b", .max_length = 3});
  CHECK(view.End() == "\n2 texts: 7 of 8 tokens (4 special, 1 unknown), 6 bytes, 1.50 bytes per token, 2.00 ms\n");
}

}  // namespace
}  // namespace bertha::cli
