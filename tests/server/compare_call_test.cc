#include <string>
#include <vector>

#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;
using models::Task;

v1::CompareRequest CompareRequestOf(const std::string& text, const std::vector<std::string>& models = {}) {
  v1::CompareRequest request;
  request.mutable_input()->set_text(text);
  for (const std::string& name : models) request.add_models()->set_name(name);
  return request;
}

TEST_CASE("EachModelThatIsNamedJudgesTheTextInTheOrderOfTheNames") {
  InferenceFixture f;
  f.AddWordModel("one", Task::kSequenceClassification);
  f.AddWordModel("two", Task::kSequenceClassification);
  v1::CompareRequest request = CompareRequestOf("a b", {"two", "one", "two"});
  request.mutable_options()->set_raw_logits(true);
  v1::CompareResponse response;
  REQUIRE(f.Do(request, &response).ok());
  REQUIRE(response.results_size() == 3);
  CHECK(response.results(0).model().name() == "two");
  CHECK(response.results(1).model().name() == "one");
  CHECK(response.results(2).model().version() == 1);
  for (const v1::CompareResult& result : response.results()) {
    CHECK(result.result().logits(0) == 1 + 2 + 'a' + 'b');
    CHECK_FALSE(result.has_tokens());
  }
}

TEST_CASE("WithoutNamesEveryClassifierJudgesAndNoOtherModel") {
  InferenceFixture f;
  f.AddWordModel("z", Task::kSequenceClassification);
  f.AddWordModel("tagger", Task::kTokenClassification);
  f.AddModel("a", 1);
  f.AddModel("a", 2);
  v1::CompareResponse response;
  REQUIRE(f.Do(CompareRequestOf("a"), &response).ok());
  REQUIRE(response.results_size() == 2);
  CHECK(response.results(0).model().name() == "a");
  CHECK(response.results(0).model().version() == 2);
  CHECK(response.results(1).model().name() == "z");
}

TEST_CASE("AModelThatCannotJudgeDoesNotFailItsNeighbours") {
  InferenceFixture f;
  f.AddWordModel("good", Task::kSequenceClassification);
  f.AddWordModel("tagger", Task::kTokenClassification);
  v1::CompareResponse response;
  REQUIRE(f.Do(CompareRequestOf("a", {"missing", "good", "tagger"}), &response).ok());
  CHECK(response.results(0).error().code() == static_cast<uint32_t>(StatusCode::kNotFound));
  CHECK(response.results(0).model().name() == "missing");
  CHECK(response.results(1).has_result());
  CHECK(response.results(2).error().code() == static_cast<uint32_t>(StatusCode::kFailedPrecondition));
}

TEST_CASE("ACompareShowsTheTokensOfEachModelIfAsked") {
  InferenceFixture f;
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::CompareRequest request = CompareRequestOf("a b c d e f g h i j", {"m", "missing"});
  request.set_tokens(true);
  v1::CompareResponse response;
  REQUIRE(f.Do(request, &response).ok());
  const v1::TokenizeResult& tokens = response.results(0).tokens();
  REQUIRE(tokens.tokens_size() == 12);
  CHECK(tokens.computed() == 10);
  CHECK(tokens.computed() == response.results(0).result().tokens());
  CHECK_FALSE(response.results(1).has_tokens());
}

TEST_CASE("ACompareThatCannotBeIsRefusedAsAWhole") {
  InferenceFixture f;
  v1::CompareResponse response;
  CHECK(Is(f.Do(v1::CompareRequest(), &response), StatusCode::kInvalidArgument, "input: is missing"));
  CHECK(Is(f.Do(CompareRequestOf("a"), &response), StatusCode::kFailedPrecondition, "no classifier is loaded"));
  const std::vector<std::string> many(17, "m");
  CHECK(Is(f.Do(CompareRequestOf("a", many), &response), StatusCode::kInvalidArgument, "17 are named, at most 16"));
}

TEST_CASE("ALongTextIsComparedOnThePool") {
  InferenceFixture f({}, {.max_inline_bytes = 8});
  f.AddWordModel("m", Task::kSequenceClassification);
  v1::CompareResponse response;
  REQUIRE(f.Do(CompareRequestOf("a b c d e f g h i j", {"m"}), &response).ok());
  CHECK(response.results(0).result().truncated());
}

TEST_CASE("ACancelledCompareEndsWithCancelled") {
  InferenceFixture f;
  auto* encoder = f.AddWordModel("m", Task::kSequenceClassification);
  batcher::Gate gate;
  encoder->on_run = [&gate](const auto&) {
    gate.Pass();
    return absl::OkStatus();
  };
  auto pending = f.Start<v1::CompareResponse>(CompareRequestOf("a", {"m", "m"}));
  gate.AwaitArrivals(1);
  pending->call->Cancel();
  gate.Open();
  CHECK(pending->Await().code() == StatusCode::kCancelled);
  CHECK(pending->response.results_size() == 0);
  CHECK(pending->Times() == 1);
}

}  // namespace
}  // namespace bertha::server
