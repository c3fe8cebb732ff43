#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "clients/cli/eval_choice.h"
#include "clients/cli/eval_output.h"
#include "clients/cli/eval_tally.h"
#include "clients/cli/figure_table.h"
#include "clients/cli/load_report_output.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

ModelEntry Classifier(const std::string& name, int64_t version = 1, std::vector<std::string> labels = {"bad", "good"}) {
  return {.model = {.name = name, .version = version},
          .state = "SERVING",
          .task = "sequence-classification",
          .labels = std::move(labels)};
}

std::vector<std::string> Names(const ChosenModels& chosen) {
  std::vector<std::string> names;
  for (const ModelEntry& m : chosen.models) names.push_back(m.model.name + ":" + std::to_string(m.model.version));
  return names;
}

const std::set<std::string> kLabels = {"bad", "good"};

TEST_CASE("without a choice every classifier that serves and shares a label is judged") {
  std::vector<ModelEntry> entries = {Classifier("a", 1),
                                     Classifier("a", 2),
                                     Classifier("b"),
                                     Classifier("c"),
                                     Classifier("spam", 1, {"ham", "spam"}),
                                     Classifier("grade", 1, {"score"})};
  entries[2].state = "LOADING";
  entries[3].task = "token-classification";
  const auto chosen = ChooseModels(entries, {}, kLabels);
  REQUIRE(chosen.ok());
  CHECK(Names(*chosen) == std::vector<std::string>{"a:1", "a:2"});
  REQUIRE(chosen->left_out.size() == 1);
  CHECK(absl::StrContains(chosen->left_out[0], "spam v1 has the labels ham, spam; the texts have bad, good"));
}

TEST_CASE("a choice is by name, version or label, and the newest where it is by name") {
  std::vector<ModelEntry> entries = {Classifier("a", 1), Classifier("a", 3), Classifier("b")};
  entries[0].version_labels = {"stable"};
  entries[2].is_default = true;
  const std::vector<ModelChoice> choices = {
      {.name = "a"}, {.name = "a", .version = 1}, {.name = "a", .label = "stable"}, {}};
  const auto chosen = ChooseModels(entries, choices, kLabels);
  REQUIRE(chosen.ok());
  CHECK(Names(*chosen) == std::vector<std::string>{"a:3", "a:1", "a:1", "b:1"});
}

TEST_CASE("a choice that cannot be judged says what there is") {
  const std::vector<ModelEntry> entries = {Classifier("a"), Classifier("spam", 1, {"ham", "spam"})};
  const auto gone = ChooseModels(entries, std::vector<ModelChoice>{{.name = "x", .version = 4}}, kLabels);
  CHECK(gone.status().message() == "no classifier x:4 serves; there are: a v1, spam v1");
  const auto other = ChooseModels(entries, std::vector<ModelChoice>{{.name = "spam"}}, kLabels);
  CHECK(absl::IsInvalidArgument(other.status()));
  CHECK(absl::StrContains(other.status().message(), "--label-map bad=ham"));
  CHECK(absl::StrContains(ChooseModels({}, {}, kLabels).status().message(), "no classifier"));
}

TEST_CASE("a label map is pairs, each label once") {
  CHECK(*ParseLabelMap("0=bad,1=good") == std::map<std::string, std::string>{{"0", "bad"}, {"1", "good"}});
  CHECK(ParseLabelMap("a=b=c")->at("a") == "b=c");
  for (const char* wrong : {"", "a", "a=", "=b", "a=b,", "a=b,a=c"}) CHECK_FALSE(ParseLabelMap(wrong).ok());
}

Row Answer(uint64_t index, const std::string& label, uint32_t compute_us = 100, uint32_t batch = 1) {
  Result result{.body = Labels{.scores = {{label, 0.75F}}}, .timing = {.compute_us = compute_us}, .batch_size = batch};
  return {.input = {.index = index}, .result = std::move(result)};
}

TEST_CASE("what failed, and what never came, counts as wrong, and labels that the model lacks are named") {
  const std::vector<std::string> truths = {"bad", "good", "mixed", "good"};
  EvalTally tally(Classifier("a"), truths);
  tally.Add(Answer(0, "bad", 300, 3));
  tally.Add(Answer(2, "good", 100, 1));
  tally.Add({.input = {.index = 1}, .result = absl::UnavailableError("gone")});
  const eval::ModelResult result = tally.Finish(2);
  CHECK(result.metrics.texts == 4);
  CHECK(result.metrics.right == 1);
  CHECK(result.metrics.failed == 2);
  CHECK(result.failures == std::map<std::string, size_t>{{"UNAVAILABLE", 1}});
  CHECK(result.unknown_labels == std::vector<std::string>{"mixed"});
  CHECK(result.compute_us == 100.0);  // a third of 300, and 100
  CHECK(result.texts_per_s() == 2);
}

TEST_CASE("the tables and the warnings tell of failures") {
  const std::vector<std::string> truths = {"bad", "good"};
  EvalTally tally(Classifier("a"), truths);
  tally.Add(Answer(0, "bad"));
  tally.Add({.input = {.index = 1}, .result = absl::InternalError("no")});
  eval::Study study;
  study.models = {tally.Finish(1)};
  const std::string text = StudyTables(study);
  CHECK(absl::StrContains(text, "NO ANSWER"));
  CHECK(absl::StrContains(text, "a v1     0.5000   100.0%"));
  CHECK(StudyWarnings(study) == std::vector<std::string>{"a v1: 1 of 2 texts FAILED and count as wrong (INTERNAL 1)"});
}

TEST_CASE("a table of figures is aligned, and safe on a terminal") {
  CHECK(FigureTable({{"", "one", "two"}, {"a\x1b[2J", "1", "22222"}}) ==
        "       one    two\na\xEF\xBF\xBD[2J    1  22222\n");
}

TEST_CASE("reports side by side say what is better, worse or not to be believed") {
  const auto report = [](double p99, bool valid) {
    nlohmann::json made = {{"valid", valid}, {"runs", {{{"rate", 5}, {"latency_ms", {{"all", {{"p99", p99}}}}}}}}};
    made["invalid"] = {"somebody else used the machine"};
    return made;
  };
  const std::string text =
      LoadReportTable({.reports = {report(10, true), report(5, false), report(10.1, true)}, .names = {"a", "b", "c"}});
  CHECK(absl::StrContains(text, "b: INVALID, do not quote its figures\n  somebody else used the machine\n"));
  CHECK_FALSE(absl::StrContains(text, "a: INVALID"));
  CHECK(absl::StrContains(text, "latency p99  10.0 ms  5.00 ms  x0.50 better  10.1 ms  x1.01\n"));
}

TEST_CASE("of many reasons the first are printed") {
  nlohmann::json report = {{"valid", false}, {"invalid", nlohmann::json::array()}};
  for (int i = 0; i < 9; ++i) report["invalid"].push_back("reason " + std::to_string(i));
  const std::string text = LoadReportTable({.reports = nlohmann::json::array({report}), .names = {"a"}});
  CHECK(absl::StrContains(text, "  reason 5\n  and 3 more\n"));
  CHECK_FALSE(absl::StrContains(text, "reason 6"));
}

}  // namespace
}  // namespace bertha::cli
