// Workers and models that come and go.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "batcher/dispatcher.h"
#include "tests/batcher/dispatcher_fixture.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

TEST_CASE("EachWorkerThreadSaysThatItStarts") {
  FakeClock clock;
  std::array<std::atomic<int>, 3> started = {};
  DispatcherOptions options = Options({}, 3);
  options.on_worker_start = [&](size_t worker, size_t workers) { started.at(worker) += workers == 3 ? 1 : 100; };
  const Dispatcher dispatcher(options, &clock);
  for (const std::atomic<int>& times : started) {
    while (times == 0) std::this_thread::yield();
    CHECK(times == 1);
  }
}

TEST_CASE("TheFirstModelBringsTheWorkersIfTheirNumberIsLeftOpen") {
  FakeClock clock;
  Recorder recorder;
  Dispatcher dispatcher(Options({}, 0), &clock);
  CHECK(dispatcher.workers() == 0);
  CHECK(dispatcher.healthy());
  auto replicas = [](size_t count) {
    std::vector<std::unique_ptr<Encoder>> made;
    for (size_t i = 0; i < count; ++i) made.push_back(std::make_unique<FakeEncoder>(false, false));
    return made;
  };
  CHECK(dispatcher.AddModel(replicas(0), {}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(dispatcher.AddModel(replicas(3), {.max_batch_tokens = 0}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(dispatcher.workers() == 0);  // a model that is refused decides nothing
  const auto id = dispatcher.AddModel(replicas(3), {});
  REQUIRE(id.ok());
  CHECK(dispatcher.workers() == 3);
  CHECK(dispatcher.AddModel(replicas(2), {}).status().message() == "the model has 2 replicas for 3 workers");
  CHECK(dispatcher.AddModel(replicas(3), {}).ok());
  TestRequest a(1, 1, &recorder, *id);
  REQUIRE(Submit(dispatcher, {a.get()}).ok());
  recorder.Await(1);
  CHECK(recorder[a.request].status.ok());
}

TEST_CASE("ADispatcherThatNeverHadAModelStops") {
  FakeClock clock;
  Dispatcher dispatcher(Options({}, 0), &clock);
  dispatcher.Stop();
  CHECK(dispatcher.AddModel(Only(std::make_unique<FakeEncoder>(false, false)), {}).status().code() ==
        absl::StatusCode::kUnavailable);
}

TEST_CASE("ABudgetBelowTheLongestTextIsRefused") {
  FakeClock clock;
  Dispatcher dispatcher(Options({}, 1), &clock);
  CHECK(dispatcher.AddModel(Only(std::make_unique<FakeEncoder>()), {.max_batch_tokens = 63}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

/// Says when it is destroyed.
class MortalEncoder final : public FakeEncoder {
 public:
  explicit MortalEncoder(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~MortalEncoder() override { --alive_; }

 private:
  std::atomic<int>& alive_;
};

ModelId AddMortal(Dispatcher& dispatcher, size_t workers, std::atomic<int>& alive, Gate* gate = nullptr) {
  std::vector<std::unique_ptr<Encoder>> replicas;
  for (size_t i = 0; i < workers; ++i) {
    auto encoder = std::make_unique<MortalEncoder>(alive);
    if (gate) WaitAt(*gate, *encoder);
    replicas.push_back(std::move(encoder));
  }
  absl::StatusOr<ModelId> id = dispatcher.AddModel(std::move(replicas), {.max_batch_requests = 1});
  REQUIRE(id.ok());
  return *id;
}

TEST_CASE("AReservationIsForItsModelAndMayOutliveIt") {
  DispatcherFixture f(false, {.max_requests = 2});
  std::atomic<int> alive = 0;
  const ModelId gone = AddMortal(*f.dispatcher, 1, alive);
  TestRequest request(1, 1, &f.recorder, gone);
  Request* one = request.get();
  CHECK(f.dispatcher->Submit(*f.dispatcher->Reserve(0, 1), {&one, 1}).code() == absl::StatusCode::kInternal);
  Reservation kept = *f.dispatcher->Reserve(gone, 1), unused = *f.dispatcher->Reserve(gone, 1);
  f.dispatcher->RemoveModel(gone);
  CHECK(f.dispatcher->Submit(std::move(kept), {&one, 1}).code() == absl::StatusCode::kUnavailable);
  unused = {};
  CHECK(f.dispatcher->Reserve(0, 2).ok());
}

TEST_CASE("ARemovedModelServesWhatWasAcceptedAndThenItsReplicasAreGone") {
  std::atomic<int> alive = 0;
  DispatcherFixture f;
  Gate gate;
  const ModelId id = AddMortal(*f.dispatcher, 1, alive, &gate);
  TestRequest running(1, 1, &f.recorder, id), waiting(2, 3, &f.recorder, id);
  REQUIRE(f.Submit({running.get()}).ok());
  gate.AwaitArrivals(1);
  REQUIRE(f.Submit({waiting.get()}).ok());
  std::thread remover([&] { f.dispatcher->RemoveModel(id); });
  std::vector<std::unique_ptr<TestRequest>> late;  // the last one is refused
  do {
    late.push_back(std::make_unique<TestRequest>(3, 1, &f.recorder, id));
  } while (f.Submit({late.back()->get()}).ok());
  CHECK(alive == 1);
  gate.Open();
  remover.join();
  CHECK(alive == 0);
  f.dispatcher->Stop();
  CHECK(f.recorder[running.request].status.ok());
  CHECK(f.recorder[waiting.request].output == std::vector<float>{6, 3});
  CHECK(f.recorder.total() == 1 + late.size());
  CHECK(f.recorder[late.back()->request].times == 0);
}

TEST_CASE("AModelWithoutWorkIsRemovedAtOnceAlsoAfterStop") {
  const bool stopped = GENERATE(false, true);
  std::atomic<int> alive = 0;
  DispatcherFixture f;
  const ModelId id = AddMortal(*f.dispatcher, 1, alive);
  if (stopped) f.dispatcher->Stop();
  f.dispatcher->RemoveModel(id);
  CHECK(alive == 0);
}

TEST_CASE("CancellingTheLastWaitingRequestLetsAModelGo") {
  std::atomic<int> alive = 0;
  DispatcherFixture f(true);
  f.Occupy();
  const ModelId id = AddMortal(*f.dispatcher, 1, alive);
  TestRequest waiting(1, 1, &f.recorder, id);
  REQUIRE(f.Submit({waiting.get()}).ok());
  std::thread remover([&] { f.dispatcher->RemoveModel(id); });
  f.dispatcher->Cancel(waiting.request);
  remover.join();  // though the only worker is busy with another model
  CHECK(alive == 0);
  f.recorder.Await(1);
  CHECK(f.recorder[waiting.request].status.code() == absl::StatusCode::kCancelled);
  f.gate.Open();
}

TEST_CASE("WhileModelsComeAndGoUnderLoadEveryRequestOfOneThatIsHeldIsAnswered") {
  constexpr size_t kWorkers = 2;
  constexpr int kModels = 60, kCallers = 3;
  std::atomic<int> alive = 0, refused = 0;
  std::atomic<size_t> accepted = 0;
  FakeClock clock;
  Recorder recorder;
  Dispatcher dispatcher(Options({.max_requests = 64}, kWorkers), &clock);
  Mutex mutex;
  ModelId current = AddMortal(dispatcher, kWorkers, alive);
  std::atomic<bool> done = false;
  std::vector<std::vector<std::unique_ptr<TestRequest>>> sent(kCallers);
  std::vector<std::thread> callers;
  for (auto& mine : sent) {
    callers.emplace_back([&] {
      while (!done || mine.empty()) {
        ModelId id;
        {
          MutexLock lock(mutex);
          id = current;
        }
        auto request = std::make_unique<TestRequest>(static_cast<int32_t>(id) + 1, 2, &recorder, id);
        absl::StatusOr<Reservation> reservation = dispatcher.Reserve(id, 1);
        if (!reservation.ok()) continue;
        Request* one = request->get();
        if (dispatcher.Submit(*std::move(reservation), {&one, 1}).ok()) {
          mine.push_back(std::move(request));
          // So many that the queue is never full: it would give places of the old model to the new one.
          recorder.Await(std::max<size_t>(++accepted, 32) - 32);
        } else {
          ++refused;  // the model went away between the look at `current` and Submit
        }
      }
    });
  }
  for (int i = 1; i < kModels; ++i) {
    const ModelId next = AddMortal(dispatcher, kWorkers, alive), old = current;
    {
      MutexLock lock(mutex);
      current = next;
    }
    recorder.Await(recorder.total() + 10);
    dispatcher.RemoveModel(old);
    REQUIRE(alive == kWorkers);
  }
  done = true;
  for (std::thread& caller : callers) caller.join();
  dispatcher.RemoveModel(current);
  CHECK(alive == 0);
  dispatcher.Stop();
  for (const auto& mine : sent) {
    for (const auto& request : mine) {
      const Recorder::Ended ended = recorder[request->request];
      REQUIRE(ended.times == 1);
      REQUIRE(ended.status.ok());
      REQUIRE(ended.output == std::vector<float>{2.f * static_cast<float>(request->request.model + 1), 2});
    }
  }
}

}  // namespace
}  // namespace bertha::batcher
