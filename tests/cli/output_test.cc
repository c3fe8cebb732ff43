#include "clients/cli/labels_output.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "clients/cli/models_output.h"
#include "clients/cli/text.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

Result SomeResult(std::vector<LabelScore> scores) {
  return {.body = Labels{.scores = std::move(scores), .logits = {1.5f, -2.25f}},
          .tokens = 7,
          .truncated = true,
          .timing = {.tokenize_us = 11, .queue_us = 22, .compute_us = 3300, .total_us = 3344},
          .batch_size = 4,
          .model = std::make_shared<const Model>(Model{"mood", 3, "torchscript", "cpu", "fp32"})};
}

Row Good(uint64_t index, std::string text, std::vector<LabelScore> scores = {{"glad", 0.9f}, {"sad", 0.1f}}) {
  return {{.index = index, .text = std::move(text)}, SomeResult(std::move(scores))};
}

Row Bad(uint64_t index, std::string text, std::string message) {
  return {{.index = index, .text = std::move(text)}, absl::InvalidArgumentError(message)};
}

std::vector<std::string> SplitLines(const std::string& text) { return absl::StrSplit(text, '\n', absl::SkipEmpty()); }

TEST_CASE("JSON: one object a line with every key, floats with the digits of a float") {
  const auto writer = MakeLabelsJson(false);
  CHECK(writer->Begin().empty());
  CHECK(writer->Rows({Good(5, "x")}) ==
        R"({"index":5,"label":"glad","score":0.9,"scores":[{"label":"glad","score":0.9},{"label":"sad","score":0.1}],)"
        R"("timing_us":{"tokenize":11,"queue":22,"compute":3300,"total":3344},"tokens":7,"truncated":true,"windows":1,)"
        R"("model":"mood","version":3,"engine":"torchscript","batch_size":4})"
        "\n");
  CHECK(writer->End().empty());
}

TEST_CASE("JSON: a failed input has its index and an error, and no answer") {
  CHECK(MakeLabelsJson(true)->Rows({Bad(2, "x", "say \"what\"\n")}) ==
        R"({"index":2,"error":{"code":"INVALID_ARGUMENT","message":"say \"what\"\n"}})"
        "\n");
}

TEST_CASE("JSON: logits only when asked for") {
  const auto with = nlohmann::json::parse(MakeLabelsJson(true)->Rows({Good(0, "x")}));
  CHECK(with.at("logits") == nlohmann::json({1.5, -2.25}));
  CHECK_FALSE(nlohmann::json::parse(MakeLabelsJson(false)->Rows({Good(0, "x")})).contains("logits"));
}

TEST_CASE("JSON: no label above the threshold is null, not a missing key") {
  const auto json = nlohmann::json::parse(MakeLabelsJson(false)->Rows({Good(0, "x", {})}));
  CHECK(json.at("label").is_null());
  CHECK(json.at("score").is_null());
  CHECK(json.at("scores").empty());
}

TEST_CASE("CSV: a header, then as many fields in every record") {
  const auto writer = MakeLabelsCsv();
  const std::string header = writer->Begin();
  CHECK(header ==
        "index,label,score,tokens,truncated,tokenize_us,queue_us,compute_us,total_us,batch_size,model,version,engine,"
        "windows,error\n");
  CHECK(writer->Rows({Good(0, "x")}) == "0,glad,0.9,7,true,11,22,3300,3344,4,mood,3,torchscript,1,\n");
  CHECK(writer->Rows({Good(0, "x", {})}) == "0,,,7,true,11,22,3300,3344,4,mood,3,torchscript,1,\n");
  CHECK(writer->Rows({Bad(1, "x", "no")}) == "1,,,,,,,,,,,,,,INVALID_ARGUMENT: no\n");
  const auto fields = [](const std::string& line) { return std::count(line.begin(), line.end(), ',') + 1; };
  CHECK(fields(writer->Rows({Bad(1, "x", "no")})) == fields(header));
}

TEST_CASE("CSV: commas, quotes and line ends are quoted as RFC 4180 says") {
  const auto writer = MakeLabelsCsv();
  CHECK(absl::StartsWith(writer->Rows({Good(0, "x", {{"a,b", 1.0f}})}), "0,\"a,b\",1,"));
  CHECK(absl::StartsWith(writer->Rows({Good(0, "x", {{"a\"b", 1.0f}})}), "0,\"a\"\"b\",1,"));
  CHECK(absl::EndsWith(writer->Rows({Bad(0, "x", "two\nlines")}), ",\"INVALID_ARGUMENT: two\nlines\"\n"));
}

TEST_CASE("Table: columns line up over labels and texts of any script, within the width") {
  const auto writer = MakeLabelsTable({.width = 90});
  const std::string long_text(300, 'x');
  const auto lines = SplitLines(
      writer->Rows({Good(0, "short"), Good(1, long_text, {{"traurig-日本", 0.5f}}), Good(22, "日本語 テキスト")}));
  REQUIRE(lines.size() == 4);
  const auto text_column = DisplayWidth(lines[0].substr(0, lines[0].find("TEXT")));
  CHECK(DisplayWidth(lines[1].substr(0, lines[1].find("short"))) == text_column);
  CHECK(DisplayWidth(lines[2].substr(0, lines[2].find("xxx"))) == text_column);
  CHECK(DisplayWidth(lines[3].substr(0, lines[3].find("日本語"))) == text_column);
  CHECK(DisplayWidth(lines[2]) == 90);
}

TEST_CASE("Table: the heading comes once, the means last") {
  const auto writer = MakeLabelsTable({});
  CHECK(absl::StrContains(writer->Rows({Good(0, "a")}), "LABEL"));
  Row second = Good(1, "b");
  second.result->timing.total_us = 1344;
  CHECK_FALSE(absl::StrContains(writer->Rows({second}), "LABEL"));
  const std::string end = writer->End();
  CHECK(absl::StrContains(end, "total 2.34 ms"));
  CHECK(absl::StrContains(end, "batch of 4.0"));
  CHECK(absl::StrContains(end, "mood v3 (torchscript, cpu, fp32)"));
}

TEST_CASE("Table: a failed input says why in its place") {
  const auto lines = SplitLines(MakeLabelsTable({})->Rows({Good(0, "a"), Bad(1, "b", "too long"), Good(2, "c")}));
  REQUIRE(lines.size() == 4);
  CHECK(absl::StrContains(lines[2], "error     INVALID_ARGUMENT: too long"));
}

TEST_CASE("Windows are shown where there is more than one") {
  Row row = Good(0, "a");
  row.result->truncated = false;
  CHECK_FALSE(absl::StrContains(MakeLabelsDetail({})->Rows({row}), "window"));
  row.result->windows = 3;
  CHECK(absl::StrContains(MakeLabelsDetail({})->Rows({row}), "7 tokens in 3 windows (longer than the model takes)"));
  const auto table = MakeLabelsTable({});
  CHECK(absl::StrContains(table->Rows({row}), "   7w3  "));
  CHECK(absl::StrContains(table->End(), "computed in N windows"));
}

TEST_CASE("Table: nothing answered, no means") { CHECK(MakeLabelsTable({})->End().empty()); }

TEST_CASE("Table: a score outside [0, 1] has no bar") {
  const auto bars = [](float score) {
    return absl::StrContains(MakeLabelsTable({})->Rows({Good(0, "a", {{"s", score}})}), "█");
  };
  CHECK(bars(0.8f));
  CHECK_FALSE(bars(3.2f));
  CHECK_FALSE(bars(-0.8f));
}

TEST_CASE("Colour only when asked for") {
  const std::vector<Row> rows = {Good(0, "a"), Bad(1, "b", "c")};
  CHECK_FALSE(absl::StrContains(MakeLabelsTable({.color = false})->Rows(rows), "\033"));
  CHECK(absl::StrContains(MakeLabelsTable({.color = true})->Rows(rows), "\033["));
  CHECK_FALSE(absl::StrContains(MakeLabelsDetail({.color = false})->Rows(rows), "\033"));
}

TEST_CASE("Detail: every label, and where the time went") {
  const auto lines = SplitLines(MakeLabelsDetail({})->Rows({Good(0, "I love it")}));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "I love it");
  CHECK(absl::StartsWith(lines[1], "  glad   0.9000  ██"));
  CHECK(absl::StartsWith(lines[2], "  sad    0.1000  ██"));
  CHECK(lines[3] ==
        "  3.34 ms: tokenize 11 µs, queue 22 µs, compute 3.30 ms; 7 tokens (cut: longer than the model takes) in a "
        "batch of 4; mood v3 (torchscript, cpu, fp32)");
}

ModelEntry Entry(std::string name, std::string state) {
  return {.model = {std::move(name), 1, "torchscript", "cpu", "fp32"},
          .state = std::move(state),
          .family = "bert",
          .task = "sequence-classification",
          .labels = {"neg", "pos"},
          .max_length = 128,
          .probe_max_abs_diff = 2e-6f,
          .probe_count = 8};
}

TEST_CASE("Models: the table marks the default and says why a package was refused") {
  ModelEntry good = Entry("mood", "SERVING"), bad = Entry("torn", "FAILED");
  good.is_default = true;
  bad.reason = "model.pt: checksum differs";
  const auto lines = SplitLines(ModelsTable({good, bad}));
  REQUIRE(lines.size() == 5);
  CHECK(absl::StartsWith(lines[1], "mood*  1        SERVING  torchscript cpu fp32  bert sequence-classification"));
  CHECK(absl::StrContains(lines[1], "2.0e-06 of 8"));
  CHECK(absl::StartsWith(lines[2], "torn   1        FAILED "));
  CHECK_FALSE(absl::StrContains(lines[2], "torchscript"));
  CHECK(lines[3] == "    refused: model.pt: checksum differs");
  CHECK(absl::StartsWith(lines[4], "* answers"));
}

TEST_CASE("Models: the table shows labels of versions, refused updates and dimensions") {
  ModelEntry entry = Entry("space", "SERVING");
  entry.version_labels = {"stable", "old"};
  entry.refused_update = "model.pt: is not the file that SHA256SUMS names";
  entry.task = "embeddings";
  entry.dimension = 384;
  const auto lines = SplitLines(ModelsTable({entry}));
  REQUIRE(lines.size() == 3);
  CHECK(absl::StartsWith(lines[1], "space  1 stable, old  SERVING"));
  CHECK(absl::StrContains(lines[1], "bert embeddings, 384 dimensions"));
  CHECK(lines[2] == "    update refused, this one serves on: model.pt: is not the file that SHA256SUMS names");
  const auto json = nlohmann::json::parse(ModelsJson({entry}));
  CHECK(json.at("version_labels") == nlohmann::json({"stable", "old"}));
  CHECK(json.at("refused_update") == entry.refused_update);
  CHECK(json.at("dimension") == 384);
}

TEST_CASE("Models: what serves may be unhealthy, or slower than it could be, and says why") {
  ModelEntry entry = Entry("mood", "SERVING");
  entry.unhealthy = "3 forward passes in a row failed";
  entry.refused_engines = {"int8: the logits differ", "bf16: too"};
  const auto lines = SplitLines(ModelsTable({entry}));
  REQUIRE(lines.size() == 5);
  CHECK(lines[2] == "    unhealthy, health says NOT_SERVING: 3 forward passes in a row failed");
  CHECK(lines[3] == "    not computed by: int8: the logits differ");
  CHECK(lines[4] == "    not computed by: bf16: too");
  const auto json = nlohmann::json::parse(ModelsJson({entry}));
  CHECK(json.at("unhealthy") == entry.unhealthy);
  CHECK(json.at("refused_engines") == entry.refused_engines);
}

TEST_CASE("Models: JSON has one object a line with all that is known") {
  const auto json = nlohmann::json::parse(ModelsJson({Entry("mood", "SERVING")}));
  CHECK(json.at("model") == "mood");
  CHECK(json.at("state") == "SERVING");
  CHECK(json.at("labels") == nlohmann::json({"neg", "pos"}));
  CHECK(json.at("max_length") == 128);
  CHECK(json.at("is_default") == false);
}

}  // namespace
}  // namespace bertha::cli
