// Engines that fail, throw, give too little or do not return at all: who learns of it, and who is spared.
#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "batcher/dispatcher.h"
#include "tests/batcher/dispatcher_fixture.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;

TEST_CASE("OneRequestsFailureLeavesItsNeighboursAlone") {
  const bool throws = GENERATE(false, true);
  const bool row_per_token = GENERATE(false, true);
  constexpr int32_t kPoison = 13;
  Recorder recorder;
  FakeClock clock;
  Gate gate;
  auto encoder = std::make_unique<FakeEncoder>(/*pads=*/false, row_per_token);
  encoder->on_run = [&](const std::vector<int32_t>& ids) -> absl::Status {
    gate.Pass();
    for (int32_t id : ids) {
      if (id == kPoison && throws) throw std::runtime_error("bad id");
      if (id == kPoison) return absl::InternalError("bad id");
    }
    return absl::OkStatus();
  };
  std::atomic<int> failed_passes = 0;
  DispatcherOptions options = Options({}, 1);
  options.on_failed_pass = [&](const absl::Status& status) {
    failed_passes += status.code() == absl::StatusCode::kInternal ? 1 : 100;
  };
  Dispatcher dispatcher(options, &clock);
  REQUIRE(dispatcher.AddModel(Only(std::move(encoder)), {}).ok());
  TestRequest first(1, 1, &recorder), a(2, 3, &recorder), bad(kPoison, 1, &recorder), b(4, 2, &recorder);
  std::vector<Request*> calls[] = {{first.get()}, {a.get(), bad.get(), b.get()}};
  for (const auto& call : calls) {
    REQUIRE(Submit(dispatcher, call).ok());
    gate.AwaitArrivals(1);
  }
  gate.Open();
  recorder.Await(4);
  CHECK(recorder[a.request].output ==
        (row_per_token ? std::vector<float>{2, 0, 2, 1, 2, 2} : std::vector<float>{6, 3}));
  CHECK(recorder[b.request].output == (row_per_token ? std::vector<float>{4, 0, 4, 1} : std::vector<float>{8, 2}));
  CHECK(recorder[bad.request].status.code() == absl::StatusCode::kInternal);
  CHECK(failed_passes == 2);  // the batch, and then the bad one alone
}

TEST_CASE("AnEngineThatReturnsTooFewRowsIsAnEngineFault") {
  DispatcherFixture f;
  f.encoder->rows_withheld = 1;
  TestRequest a(1, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  f.recorder.Await(1);
  CHECK(f.recorder[a.request].status.code() == absl::StatusCode::kInternal);
}

TEST_CASE("AForwardPassThatDoesNotReturnIsGivenUpAndTheWorkerWorksOnWhenItDoes") {
  FakeClock clock;
  Recorder recorder;
  Gate gate;
  Dispatcher dispatcher({.stuck_after = milliseconds(200)}, &clock);
  REQUIRE(dispatcher.AddModel(Only(GatedEncoder(gate)), {}).ok());
  TestRequest stuck(1, 1, &recorder), waiting(2, 1, &recorder), later(3, 1, &recorder);
  for (TestRequest* test : {&stuck, &waiting}) {
    REQUIRE(Submit(dispatcher, {test->get()}).ok());
    gate.AwaitArrivals(1);
  }
  clock.Advance(std::chrono::seconds(20));  // no reason
  std::this_thread::sleep_for(milliseconds(60));
  CHECK(dispatcher.healthy());
  recorder.Await(2);
  CHECK_FALSE(dispatcher.healthy());
  for (TestRequest* test : {&stuck, &waiting}) {
    CHECK(recorder[test->request].status.code() == absl::StatusCode::kUnavailable);
  }
  CHECK(dispatcher.Reserve(0, 1).status().code() == absl::StatusCode::kUnavailable);
  gate.Open();
  while (!dispatcher.healthy()) std::this_thread::yield();
  REQUIRE(Submit(dispatcher, {later.get()}).ok());
  recorder.Await(3);
  CHECK(recorder[later.request].status.ok());
  CHECK(recorder[stuck.request].times == 1);
}

/// Counts what it is told.
struct CountingObserver final : PassObserver {
  void OnPass(const absl::Status& status, const BatchStats& batch, Duration) override {
    (status.ok() ? succeeded : failed) += 1;
    tokens += static_cast<int>(batch.tokens);
  }
  void OnStuck() override { stuck += 1; }
  void OnReturned() override { returned += 1; }
  std::atomic<int> succeeded{0}, failed{0}, stuck{0}, returned{0}, tokens{0};
};

TEST_CASE("AModelsObserverLearnsOfEachOfItsPassesAndOfNoOthers") {
  constexpr int32_t kPoison = 13;
  DispatcherFixture f(true);
  auto observer = std::make_shared<CountingObserver>();
  auto encoder = std::make_unique<FakeEncoder>();
  encoder->on_run = [kPoison](const std::vector<int32_t>& ids) {
    return std::ranges::count(ids, kPoison) > 0 ? absl::InternalError("bad id") : absl::OkStatus();
  };
  const ModelId id = *f.dispatcher->AddModel(Only(std::move(encoder)), {}, {}, observer);
  f.Occupy();  // the other model
  TestRequest good(1, 1, &f.recorder, id), bad(kPoison, 1, &f.recorder, id);
  REQUIRE(f.Submit({good.get(), bad.get()}).ok());
  f.gate.Open();
  f.recorder.Await(3);
  f.dispatcher->Stop();
  CHECK(observer->succeeded == 1);
  CHECK(observer->failed == 2);  // the batch, and then the bad one alone
  CHECK(observer->tokens == 2 + 1 + 1);
  CHECK(observer->stuck == 0);
}

TEST_CASE("AnObserverLearnsOfAPassThatDoesNotReturnAndWhenItDoes") {
  FakeClock clock;
  Recorder recorder;
  Gate gate;
  const auto observer = std::make_shared<CountingObserver>();
  Dispatcher dispatcher({.stuck_after = milliseconds(50)}, &clock);
  REQUIRE(dispatcher.AddModel(Only(GatedEncoder(gate)), {}, {}, observer).ok());
  TestRequest test(1, 1, &recorder);
  REQUIRE(Submit(dispatcher, {test.get()}).ok());
  while (observer->stuck == 0) std::this_thread::yield();
  CHECK(observer->returned == 0);
  gate.Open();
  while (observer->returned == 0) std::this_thread::yield();
  dispatcher.Stop();
  CHECK(observer->succeeded + observer->failed == 0);  // too late to be either
}

}  // namespace
}  // namespace bertha::batcher
