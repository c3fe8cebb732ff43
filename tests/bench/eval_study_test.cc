#include "bench/eval/study.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/catch.h"

namespace bertha::eval {
namespace {

/// `right` of ten texts.
ModelResult Model(const std::string& name, size_t right, double seconds, uint64_t bytes = 0) {
  std::vector<Judgement> judgements(10, Judgement{.truth = 0, .answer = 1, .confidence = 0.5});
  for (size_t i = 0; i < right; ++i) judgements[i].answer = 0;
  return {.name = name,
          .version = 1,
          .weight_bytes = bytes,
          .metrics = Measure({"a", "b"}, judgements),
          .seconds = seconds};
}

std::vector<std::string> Names(const Study& study) {
  std::vector<std::string> names;
  for (const ModelResult& model : study.models) names.push_back(model.name);
  return names;
}

TEST_CASE("models are in the order of accuracy, and of equal ones the faster is first") {
  Study study;
  study.models = {Model("slow", 9, 4), Model("bad", 3, 1), Model("fast", 9, 2)};
  Sort(study);
  CHECK(Names(study) == std::vector<std::string>{"fast", "slow", "bad"});
}

TEST_CASE("shares are of the most accurate model") {
  Study study;
  study.models = {Model("best", 10, 4, 1000), Model("half", 9, 2, 500), Model("untold", 8, 2)};
  const Shares half = SharesOf(study.models[1], study);
  CHECK(half.accuracy == Approx(0.9));
  CHECK(half.faster == 2.0);
  CHECK(half.size == 0.5);
  CHECK_FALSE(SharesOf(study.models[2], study).size.has_value());
}

TEST_CASE("the JSON has what the server did not tell as null") {
  Study study{.file = "x.csv", .texts = 10};
  study.models = {Model("one", 10, 4)};
  const auto json = ToJson(study);
  CHECK(json["schema"] == "bertha.eval/1");
  CHECK(json["models"][0]["weight_bytes"].is_null());
  CHECK(json["models"][0]["compute_us_per_text"].is_null());
  CHECK(json["models"][0]["accuracy"] == 1.0);
}

TEST_CASE("names are no markup in the Markdown") {
  Study study{.file = "a|b.csv", .texts = 10};
  study.models = {Model("one|<b>*two*", 10, 4)};
  const std::string text = ToMarkdown(study);
  CHECK(absl::StrContains(text, "one\\|&lt;b>\\*two\\* v1"));
  CHECK(absl::StrContains(text, "a\\|b.csv"));
}

TEST_CASE("the page has the study in it") {
  Study study{.file = "</script>", .texts = 10};
  study.models = {Model("one", 10, 4)};
  const std::string page = ToHtml(study);
  CHECK(absl::StrContains(page, "\"schema\":\"bertha.eval/1\""));
  CHECK(absl::StrContains(page, "\\u003c/script>"));
}

}  // namespace
}  // namespace bertha::eval
