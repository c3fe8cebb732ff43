#include "server/inference.h"

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;

TEST_CASE("ResultsComeInTheOrderOfTheInputsWithTheModelThatAnswered") {
  InferenceFixture f;
  f.AddModel("m", 7);
  v1::ClassifyRequest request = f.Request({"ab", "", "zzzz"});
  request.mutable_options()->set_raw_logits(true);
  v1::ClassifyResponse response;
  REQUIRE(f.Classify(request, &response).ok());
  REQUIRE(response.results_size() == 3);
  CHECK(response.results(0).logits(0) == 1 + 'a' + 'b');
  CHECK(response.results(1).logits(1) == 1);
  CHECK(response.results(2).logits(0) == 1 + 4 * 'z');
  CHECK(response.results(2).tokens() == 5);
  CHECK(response.results(2).batch().size() == 3);
  CHECK(response.results(2).batch().tokens() == 9);
  CHECK(response.model().name() == "m");
  CHECK(response.model().version() == 7);
  CHECK(response.model().engine() == "fake");
}

TEST_CASE("ScoresAreSortedAndCutByTopKAndThreshold") {
  InferenceFixture f;
  f.AddModel("m", 1, models::ProblemType::kMultiLabel);
  v1::ClassifyResponse response;
  REQUIRE(f.Classify(f.Request({"a"}), &response).ok());
  REQUIRE(response.results(0).scores_size() == 2);
  CHECK(response.results(0).scores(0).label() == "sum");
  CHECK(response.results(0).scores(0).index() == 0);
  CHECK(response.results(0).scores(1).score() == Approx(1 / (1 + std::exp(-2.0))));
  CHECK(response.results(0).logits_size() == 0);

  v1::ClassifyRequest request = f.Request({"a"});
  request.mutable_options()->set_top_k(1);
  REQUIRE(f.Classify(request, &response).ok());
  CHECK(response.results(0).scores_size() == 1);
  request.mutable_options()->set_top_k(0);
  request.mutable_options()->set_threshold(0.95f);
  REQUIRE(f.Classify(request, &response).ok());
  CHECK(response.results(0).scores_size() == 1);
}

TEST_CASE("BadInputIsRefusedWithFieldAndIndex") {
  InferenceFixture f({}, {.max_inputs = 3, .max_text_bytes = 20});
  f.table.SetLoading({"value", 2});  // of two models none is the default
  f.AddModel("m", 1);
  f.AddModel("value", 2, models::ProblemType::kRegression, /*pairs=*/false);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  struct Case {
    std::vector<std::string> texts;
    std::string model;
    std::function<void(v1::ClassifyRequest&)> change;
    StatusCode code;
    std::string message;
  };
  auto nothing = [](v1::ClassifyRequest&) {};
  const std::vector<Case> cases = {
      {{"a"}, "nope", nothing, StatusCode::kNotFound, "no model \"nope\"; loaded: m:1, value:2"},
      {{"a"}, "", nothing, StatusCode::kNotFound, "names no model"},
      {{"a"}, "m", [](auto& r) { r.set_version(9); }, StatusCode::kNotFound, "\"m:9\""},
      {{}, "m", nothing, StatusCode::kInvalidArgument, "inputs: is empty"},
      {{"a", "b", "c", "d"}, "m", nothing, StatusCode::kInvalidArgument, "inputs: has 4 texts, at most 3"},
      {{"a", std::string(21, 'x')}, "m", nothing, StatusCode::kInvalidArgument, "inputs[1].text: has 21 bytes"},
      {{"a", "!"}, "m", nothing, StatusCode::kInvalidArgument, "inputs[1].text: invalid UTF-8"},
      {{"a", "0123456789"},
       "m",
       [](auto& r) { r.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_ERROR); },
       StatusCode::kInvalidArgument,
       "inputs[1].text: has 11 tokens, the model takes 10"},
      {{"a"},
       "m",
       [](auto& r) { r.mutable_options()->set_truncation(static_cast<v1::TruncationPolicy>(9)); },
       StatusCode::kInvalidArgument,
       "options.truncation"},
      {{"a"},
       "m",
       [](auto& r) { r.mutable_options()->set_threshold(1.5f); },
       StatusCode::kInvalidArgument,
       "options.threshold"},
      {{"a"},
       "m",
       [=](auto& r) { r.mutable_options()->set_threshold(nan); },
       StatusCode::kInvalidArgument,
       "options.threshold"},
      {{"a"},
       "value",
       [](auto& r) { r.mutable_options()->set_threshold(0.5f); },
       StatusCode::kInvalidArgument,
       "regression"},
      {{"a", "b"},
       "value",
       [](auto& r) { r.mutable_inputs(1)->set_text_pair(""); },
       StatusCode::kFailedPrecondition,
       "inputs[1].text_pair: the model \"value\" (sequence-classification) takes no text pairs"},
  };
  for (const Case& c : cases) {
    v1::ClassifyRequest request = f.Request(c.texts, c.model);
    c.change(request);
    CHECK(Is(f.Classify(request), c.code, c.message));
  }
  CHECK(f.Classify(f.Request({"still serving"}, "m")).ok());
}

TEST_CASE("AnOverLongTextIsCutOnTheSideThatWasAskedForAndSaysSo") {
  InferenceFixture f;
  f.AddModel("m");
  v1::ClassifyRequest request = f.Request({"aaaaaaaaaZ"});
  request.mutable_options()->set_raw_logits(true);
  v1::ClassifyResponse response;
  REQUIRE(f.Classify(request, &response).ok());
  CHECK(response.results(0).truncated());
  CHECK(response.results(0).tokens() == 10);
  CHECK(response.results(0).logits(0) == 1 + 9 * 'a');
  request.mutable_options()->set_truncation(v1::TRUNCATION_POLICY_LEFT);
  REQUIRE(f.Classify(request, &response).ok());
  CHECK(response.results(0).logits(0) == 1 + 8 * 'a' + 'Z');
}

TEST_CASE("ACallOfManyBytesIsTokenizedOnThePoolWithTheSameAnswer") {
  InferenceFixture f({}, {.max_inline_bytes = 0});
  f.AddModel("m");
  v1::ClassifyRequest request = f.Request({"ab"});
  request.mutable_options()->set_raw_logits(true);
  v1::ClassifyResponse response;
  REQUIRE(f.Classify(request, &response).ok());
  CHECK(response.results(0).logits(0) == 1 + 'a' + 'b');
}

TEST_CASE("AFullQueueAnswersResourceExhaustedAtOnceAndAFailedCallGivesItsPlacesBack") {
  InferenceFixture f({.max_requests = 2});
  batcher::Gate gate;
  batcher::FakeEncoder* encoder = f.AddModel("m");
  encoder->on_run = [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  auto running = f.Start(f.Request({"a"}));
  gate.AwaitArrivals(1);
  CHECK(Is(f.Classify(f.Request({"a", "!"})), StatusCode::kInvalidArgument, "inputs[1]"));
  auto waiting = f.Start(f.Request({"b", "c"}));
  CHECK(Is(f.Classify(f.Request({"d"})), StatusCode::kResourceExhausted, "full"));
  gate.Open();
  CHECK(running->Await().ok());
  CHECK(waiting->Await().ok());
  CHECK(f.Classify(f.Request({"d", "e"})).ok());
}

TEST_CASE("APassedDeadlineIsNeverComputed") {
  InferenceFixture f;
  batcher::FakeEncoder* encoder = f.AddModel("m");
  auto call = f.Start(f.Request({"a"}), f.clock.Now());
  CHECK(Is(call->Await(), StatusCode::kDeadlineExceeded, "deadline"));
  CHECK(encoder->batch_sizes.empty());
}

TEST_CASE("ACancelledCallEndsOnceAsAWholeAndIsNotComputed") {
  InferenceFixture f;
  batcher::Gate gate;
  batcher::FakeEncoder* encoder = f.AddModel("m");
  encoder->on_run = [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  auto running = f.Start(f.Request({"a"}));
  gate.AwaitArrivals(1);
  auto waiting = f.Start(f.Request({"b", "c"}));
  waiting->call->Cancel();
  CHECK(Is(waiting->Await(), StatusCode::kCancelled, "cancelled"));
  waiting->call->Cancel();
  gate.Open();
  CHECK(running->Await().ok());
  f.dispatcher.Stop();
  CHECK(waiting->Times() == 1);
  CHECK(waiting->response.results_size() == 0);
  CHECK(encoder->batch_sizes == std::vector<size_t>{1});
}

TEST_CASE("AnEngineFaultOfOneInputFailsItsCallButNotItsNeighbours") {
  InferenceFixture f;
  batcher::Gate gate;
  f.AddModel("m")->on_run = [&](const std::vector<int32_t>& ids) {
    gate.Pass();
    return std::ranges::find(ids, '#') == ids.end() ? absl::OkStatus() : absl::InternalError("out of luck");
  };
  auto running = f.Start(f.Request({"a"}));
  gate.AwaitArrivals(1);
  auto bad = f.Start(f.Request({"b", "#"}));
  auto good = f.Start(f.Request({"c"}));
  gate.Open();
  CHECK(Is(bad->Await(), StatusCode::kInternal, "inputs[1]: out of luck"));
  CHECK(good->Await().ok());
  CHECK(running->Await().ok());
}

TEST_CASE("NaNLogitsAreAnEngineFaultNotAnAnswer") {
  InferenceFixture f;
  struct NanEncoder final : batcher::FakeEncoder {
    absl::Status Run(int slot, batcher::EncoderOutput& output) override {
      absl::Status status = FakeEncoder::Run(slot, output);
      output.values[0] = std::numeric_limits<float>::quiet_NaN();
      return status;
    }
  };
  std::vector<std::unique_ptr<batcher::Encoder>> replicas;
  replicas.push_back(std::make_unique<NanEncoder>());
  auto model = std::make_shared<ServingModel>();
  model->key = {"nan", 1};
  model->manifest.labels = {"a", "b"};
  model->manifest.max_length = 10;
  model->tokenizer = std::make_unique<ByteTokenizer>();
  model->encoder = replicas.front()->Describe();
  model->id = *f.dispatcher.AddModel(std::move(replicas), {});
  f.table.SetServing(std::move(model));
  CHECK(Is(f.Classify(f.Request({"a"})), StatusCode::kInternal, "NaN"));
}

TEST_CASE("ManyConcurrentCallersGetEachExactlyOneStatusAndTheirOwnAnswer") {
  InferenceFixture f({.max_requests = 50});
  f.AddModel("m");
  constexpr int kThreads = 8, kCalls = 100;
  std::vector<std::vector<std::unique_ptr<InferenceFixture::Pending>>> pending(kThreads);
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        v1::ClassifyRequest request = f.Request(std::vector<std::string>(1 + i % 3, std::string(1 + i % 5, 'a' + t)));
        request.mutable_options()->set_raw_logits(true);
        pending[t].push_back(f.Start(std::move(request)));
        if (i % 7 == 0) pending[t].back()->call->Cancel();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  int answered = 0;
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kCalls; ++i) {
      const absl::Status status = pending[t][i]->Await();
      if (!status.ok()) {
        REQUIRE((status.code() == StatusCode::kCancelled || status.code() == StatusCode::kResourceExhausted));
        continue;
      }
      ++answered;
      REQUIRE(pending[t][i]->response.results_size() == 1 + i % 3);
      for (const v1::ClassifyResult& result : pending[t][i]->response.results()) {
        REQUIRE(result.logits(0) == static_cast<float>(1 + (1 + i % 5) * ('a' + t)));
      }
    }
  }
  f.dispatcher.Stop();
  CHECK(answered > 0);
  for (const auto& calls : pending) {
    for (const auto& call : calls) REQUIRE(call->Times() == 1);
  }
}

}  // namespace
}  // namespace bertha::server
