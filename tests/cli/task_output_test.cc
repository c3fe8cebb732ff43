#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "clients/cli/answers_output.h"
#include "clients/cli/entities_output.h"
#include "clients/cli/vectors_output.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

using Body = decltype(Result::body);

Row RowOf(std::string text, Body body, uint64_t index = 0) {
  return {{.index = index, .text = std::move(text)},
          Result{.body = std::move(body),
                 .tokens = 7,
                 .timing = {.tokenize_us = 11, .queue_us = 22, .compute_us = 3300, .total_us = 3344},
                 .batch_size = 4,
                 .model = std::make_shared<const Model>(Model{"mood", 3, "torchscript", "cpu", "fp32"})}};
}

Row Bad(std::string text) { return {{.text = std::move(text)}, absl::InvalidArgumentError("too long")}; }

std::vector<std::string> SplitLines(const std::string& text) { return absl::StrSplit(text, '\n', absl::SkipEmpty()); }

constexpr char kAccount[] =
    "  3.34 ms: tokenize 11 µs, queue 22 µs, compute 3.30 ms; 7 tokens in a batch of 4; mood v3 (torchscript, cpu, "
    "fp32)";
constexpr char kJsonAccount[] =
    R"("timing_us":{"tokenize":11,"queue":22,"compute":3300,"total":3344},"tokens":7,"truncated":false,"windows":1,)"
    R"("model":"mood","version":3,"engine":"torchscript","batch_size":4})";

// --- tag ---

const Entity kPadThai{"DISH", 0.99f, "pad thai", {7, 15}, {6, 14}};
const Entity kLotus{"PLACE", 0.5f, "Lotus", {19, 24}, {18, 23}};

TEST_CASE("Tag: entities stand marked in the text and then one by one") {
  const auto lines = SplitLines(
      MakeEntitiesView({}, /*single=*/true)->Rows({RowOf("Güns, pad thai at Lotus!", Entities{{kPadThai, kLotus}})}));
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "Güns, [pad thai DISH] at [Lotus PLACE]!");
  CHECK(lines[1] == "  LABEL   SCORE        CHARS  TEXT");
  CHECK(lines[2] == "  DISH   0.9900         6:14  pad thai");
  CHECK(lines[3] == "  PLACE  0.5000        18:23  Lotus");
  CHECK(lines[4] == kAccount);
}

TEST_CASE("Tag: a kind has one colour, whether a label begins or continues it") {
  const Entity begin{"B-DISH", 0.9f, "a", {0, 1}, {0, 1}}, inside{"I-DISH", 0.9f, "b", {2, 3}, {2, 3}},
      other{"B-PLACE", 0.9f, "c", {4, 5}, {4, 5}};
  const auto lines = SplitLines(
      MakeEntitiesView({.color = true}, /*single=*/false)->Rows({RowOf("a b c", Entities{{begin, inside, other}})}));
  CHECK(lines[0] == "\033[30;46ma B-DISH\033[0m \033[30;46mb I-DISH\033[0m \033[30;43mc B-PLACE\033[0m");
}

TEST_CASE("Tag: a text without entities says so, and what drives a terminal is written out") {
  const auto writer = MakeEntitiesView({}, /*single=*/false);
  CHECK(SplitLines(writer->Rows({RowOf("a\x1B[31m", Entities{})})) ==
        std::vector<std::string>{"a\\u{1b}[31m", "  no entities"});
}

TEST_CASE("Tag: places beyond the text or within each other do no harm") {
  const Entity outer{"X", 0.9f, "bcd", {1, 4}, {1, 4}}, inner{"Y", 0.9f, "c", {2, 3}, {2, 3}},
      beyond{"Z", 0.9f, "?", {9, 12}, {9, 12}}, reversed{"W", 0.9f, "?", {5, 2}, {5, 2}};
  const auto rows = MakeEntitiesView({}, false)->Rows({RowOf("abcde", Entities{{outer, inner, reversed, beyond}})});
  CHECK(SplitLines(rows)[0] == "a[bcd X]e");
}

TEST_CASE("Tag: blocks of several texts stand apart, the means last; a failed text says why in its place") {
  const auto writer = MakeEntitiesView({}, /*single=*/false);
  Row cut = RowOf("b", Entities{}), pieces = RowOf("c", Entities{});
  cut.result->truncated = true;
  pieces.result->windows = 2;
  std::string rows = writer->Rows({RowOf("a", Entities{}), Bad("worse"), cut});
  rows += writer->Rows({pieces});
  CHECK(rows ==
        "a\n  no entities\n"
        "\nworse\n  error  INVALID_ARGUMENT: too long\n"
        "\nb\n  no entities\n  longer than the model takes: cut\n"
        "\nc\n  no entities\n  longer than the model takes: 2 windows\n");
  CHECK(
      absl::StartsWith(writer->End(), "\nmean: tokenize 11 µs, queue 22 µs, compute 3.30 ms, total 3.34 ms; batch of"));
}

TEST_CASE("Tag: JSON has both kinds of places") {
  CHECK(MakeEntitiesJson()->Rows({RowOf("Güns, pad thai", Entities{{kPadThai}}, 3)}) ==
        R"({"index":3,"entities":[{"label":"DISH","score":0.99,"text":"pad thai","bytes":[7,15],"chars":[6,14]}],)" +
            std::string(kJsonAccount) + "\n");
  CHECK(absl::StartsWith(MakeEntitiesJson()->Rows({RowOf("", Entities{})}), R"({"index":0,"entities":[],"timing_us")"));
}

// --- answer ---

Row Question(std::string context, FoundAnswers found) {
  Row row = RowOf("Who?", std::move(found));
  row.input.pair = std::move(context);
  return row;
}

const FoundAnswer kAda{"Ada", 0.75f, {13, 16}, {13, 16}};

TEST_CASE("Answer: the score, and the answer marked in its context") {
  const auto lines = SplitLines(
      MakeAnswersView({}, /*single=*/true, false)->Rows({Question("The notes by Ada,\n1843.", FoundAnswers{{kAda}})}));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "Who?");
  CHECK(lines[1] == "  0.7500  The notes by [Ada], 1843.");
  CHECK(lines[2] == kAccount);
}

TEST_CASE("Answer: of a long context a little on both sides is shown, within the width") {
  const std::string context = std::string(500, 'a') + " Ada " + std::string(500, 'z');
  const FoundAnswer found{"Ada", 0.75f, {501, 504}, {501, 504}};
  const auto lines =
      SplitLines(MakeAnswersView({.width = 60}, false, false)->Rows({Question(context, FoundAnswers{{found}})}));
  CHECK(lines[1] == "  0.7500  …" + std::string(20, 'a') + " [Ada] " + std::string(21, 'z') + "…");
}

TEST_CASE("Answer: none in the context, and nothing that could be one") {
  const auto view = [](FoundAnswers found) {
    return SplitLines(MakeAnswersView({}, false, /*with_no_answer=*/true)->Rows({Question("c", std::move(found))}));
  };
  CHECK(view({.answers = {{.score = 0.9f, .no_answer = true}}, .no_answer_score = 0.9f}) ==
        std::vector<std::string>{"Who?", "  0.9000  no answer in the context", "  no answer: 0.9000"});
  CHECK(view({}) ==
        std::vector<std::string>{"Who?", "  nothing in the context can be an answer", "  no answer: 0.0000"});
}

TEST_CASE("Answer: JSON has the best answer, null if there is none, and all of them") {
  const auto json = [](FoundAnswers found) { return MakeAnswersJson()->Rows({Question("c", std::move(found))}); };
  CHECK(json({.answers = {kAda}, .no_answer_score = 0.25f}) ==
        R"({"index":0,"answer":"Ada","score":0.75,"answers":[{"text":"Ada","score":0.75,"bytes":[13,16],)"
        R"("chars":[13,16],"no_answer":false}],"no_answer_score":0.25,)" +
            std::string(kJsonAccount) + "\n");
  CHECK(absl::StartsWith(json({.answers = {{.score = 0.5f, .no_answer = true}}}),
                         R"({"index":0,"answer":null,"score":0.5,"answers":[{"text":"",)"));
  CHECK(absl::StartsWith(json({}), R"({"index":0,"answer":null,"score":null,"answers":[],)"));
}

// --- embed ---

TEST_CASE("Embed: several texts show their first numbers, and how similar they are") {
  const auto writer = MakeVectorsTable({});
  std::string rows = writer->Rows({RowOf("a", Vectors{{3, 4, 0, 0}}, 0), Bad("b")});
  rows += writer->Rows({RowOf("c", Vectors{{4, -3, 0, 0}}, 2), RowOf("d", Vectors{{0, 0, 0, 0}}, 3)});
  const auto lines = SplitLines(rows + writer->End());
  REQUIRE(lines.size() == 11);
  CHECK(lines[0] == "    #    DIM     NORM   VECTOR                     TOKENS       TIME  TEXT");
  CHECK(lines[1] == "    0      4   5.0000   3.0000   4.0000   0.0000 …     7     3.34 ms  a");
  CHECK(absl::StrContains(lines[2], "error     INVALID_ARGUMENT: too long"));
  CHECK(lines[5] == "cosine similarity");
  CHECK(lines[6] == "             0        2        3");
  CHECK(lines[7] == "    0   1.0000   0.0000        -");
  CHECK(lines[8] == "    2   0.0000   1.0000        -");
  CHECK(lines[9] == "    3        -        -        -");
  CHECK(absl::StartsWith(lines[10], "mean: "));
}

TEST_CASE("Embed: of many texts only the first ones are compared") {
  const auto writer = MakeVectorsTable({});
  for (uint64_t i = 0; i < 20; ++i) writer->Rows({RowOf("a", Vectors{{1}}, i)});
  const auto lines = SplitLines(writer->End());
  REQUIRE(lines.size() == 11);
  CHECK(lines[0] == "cosine similarity of the first 8");
  CHECK(absl::StrContains(lines[9], "    7   1.0000"));
}

TEST_CASE("Embed: one text has no one to be compared with") {
  const auto table = MakeVectorsTable({});
  table->Rows({RowOf("a", Vectors{{1}})});
  CHECK(SplitLines(table->End()).size() == 1);
  const auto lines = SplitLines(MakeVectorsDetail({}, true)->Rows({RowOf("a", Vectors{{3, 4}})}));
  REQUIRE(lines.size() == 4);
  CHECK(lines[1] == "    3.0000   4.0000");
  CHECK(lines[2] == "  2 dimensions, norm 5.0000");
}

TEST_CASE("Embed: a line for each token") {
  const Vectors vectors{.tokens = {{"[CLS]", {0, 0}, {0, 0}, {1, 0}}, {"##ive", {2, 5}, {1, 4}, {3, 4}}}};
  const auto lines = SplitLines(MakeVectorsDetail({}, false)->Rows({RowOf("naive", vectors)}));
  REQUIRE(lines.size() == 3);
  CHECK(absl::StartsWith(lines[1], "  [CLS]      0:0    2   1.0000   1.0000   0.0000"));
  CHECK(absl::StartsWith(lines[2], "  ##ive      1:4    2   5.0000   3.0000   4.0000"));
}

TEST_CASE("Embed: JSON has the vector, or those of the tokens") {
  CHECK(MakeVectorsJson()->Rows({RowOf("a", Vectors{{0.1f, -2}})}) ==
        R"({"index":0,"vector":[0.1,-2.0],)" + std::string(kJsonAccount) + "\n");
  CHECK(absl::StartsWith(
      MakeVectorsJson()->Rows({RowOf("a", Vectors{.tokens = {{"a", {0, 1}, {0, 1}, {0.5f}}}})}),
      R"({"index":0,"token_vectors":[{"token":"a","bytes":[0,1],"chars":[0,1],"vector":[0.5]}],"timing_us")"));
}

TEST_CASE("Colour only when asked for, in every view") {
  const std::vector<Row> entities = {RowOf("pad thai", Entities{{kPadThai}}), Bad("x")};
  const std::vector<Row> answers = {Question("The notes by Ada", FoundAnswers{{kAda}})};
  const std::vector<Row> vectors = {RowOf("a", Vectors{{1, 2}})};
  for (const bool color : {false, true}) {
    CHECK(absl::StrContains(MakeEntitiesView({.color = color}, true)->Rows(entities), "\033") == color);
    CHECK(absl::StrContains(MakeAnswersView({.color = color}, true, true)->Rows(answers), "\033") == color);
    CHECK(absl::StrContains(MakeVectorsTable({.color = color})->Rows(vectors), "\033") == color);
    CHECK(absl::StrContains(MakeVectorsDetail({.color = color}, true)->Rows(vectors), "\033") == color);
  }
}

}  // namespace
}  // namespace bertha::cli
