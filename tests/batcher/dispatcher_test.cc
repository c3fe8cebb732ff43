#include "batcher/dispatcher.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;

/// Identical requests are computed each for itself unless a test says otherwise: most tests use them.
DispatcherOptions Options(QueueOptions queue, size_t workers) {
  queue.workers = workers;
  queue.share_identical = false;
  return {.queue = queue};
}

/// A dispatcher with one model and one worker, whose forward passes wait at `gate` if `gated`.
struct Fixture {
  explicit Fixture(bool gated = false, QueueOptions queue = {}, ModelLimits limits = {}) {
    auto owned = std::make_unique<FakeEncoder>();
    encoder = owned.get();
    if (gated) {
      encoder->on_run = [this](const std::vector<int32_t>&) {
        gate.Pass();
        return absl::OkStatus();
      };
    }
    dispatcher = std::make_unique<Dispatcher>(Options(queue, 1), &clock);
    std::vector<std::unique_ptr<Encoder>> replicas;
    replicas.push_back(std::move(owned));
    REQUIRE(dispatcher->AddModel(std::move(replicas), limits).ok());
  }
  absl::Status Submit(std::vector<Request*> call) {
    absl::StatusOr<Reservation> reservation = dispatcher->Reserve(call[0]->model, call.size());
    if (!reservation.ok()) return reservation.status();
    return dispatcher->Submit(*std::move(reservation), call);
  }
  /// Occupies the worker, so that what comes next waits.
  void Occupy() {
    REQUIRE(Submit({blocker.get()}).ok());
    gate.AwaitArrivals(1);
  }

  FakeClock clock;
  Gate gate;
  Recorder recorder;
  TestRequest blocker{1, 1, &recorder};
  FakeEncoder* encoder;
  std::unique_ptr<Dispatcher> dispatcher;
};

TEST_CASE("ARequestGetsItsOwnRow") {
  Fixture f;
  TestRequest a(3, 2, &f.recorder), b(5, 4, &f.recorder);
  REQUIRE(f.Submit({a.get(), b.get()}).ok());
  f.recorder.Await(2);
  CHECK(f.recorder[a.request].output == std::vector<float>{6, 2});
  CHECK(f.recorder[b.request].output == std::vector<float>{20, 4});
  CHECK(f.recorder[a.request].status.ok());
}

TEST_CASE("ARequestGetsTheRowsOfItsTokens") {
  FakeClock clock;
  Recorder recorder;
  Dispatcher dispatcher(Options({}, 1), &clock);
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::make_unique<FakeEncoder>(/*pads=*/false, /*row_per_token=*/true));
  REQUIRE(dispatcher.AddModel(std::move(replicas), {}).ok());
  TestRequest a(3, 2, &recorder), b(5, 3, &recorder);
  std::vector<Request*> call = {a.get(), b.get()};
  REQUIRE(dispatcher.Submit(*dispatcher.Reserve(0, 2), call).ok());
  recorder.Await(2);
  CHECK(recorder[a.request].output == std::vector<float>{3, 0, 3, 1});
  CHECK(recorder[b.request].output == std::vector<float>{5, 0, 5, 1, 5, 2});
}

TEST_CASE("AnIdleWorkerDoesNotWaitForMore") {
  Fixture f;
  TestRequest a(1, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  f.recorder.Await(1);  // the fake clock never moves: nothing could have timed out
  CHECK(f.recorder[a.request].batch.size == 1);
}

TEST_CASE("WorkGathersWhileTheWorkerIsBusy") {
  Fixture f(true);
  f.Occupy();
  TestRequest a(1, 1, &f.recorder), b(2, 1, &f.recorder), c(3, 1, &f.recorder);
  for (Request* request : {a.get(), b.get(), c.get()}) REQUIRE(f.Submit({request}).ok());
  f.gate.Open();
  f.recorder.Await(4);
  CHECK(f.encoder->batch_sizes == std::vector<size_t>{1, 3});
  CHECK(f.recorder[c.request].batch.size == 3);
  CHECK(f.recorder[c.request].batch.tokens == 3);
}

TEST_CASE("AFullQueueRefusesAtOnce") {
  Fixture f(true, {.max_requests = 2});
  f.Occupy();
  TestRequest a(1, 1, &f.recorder), b(1, 1, &f.recorder), c(1, 1, &f.recorder);
  REQUIRE(f.Submit({a.get(), b.get()}).ok());
  CHECK(f.Submit({c.get()}).code() == absl::StatusCode::kResourceExhausted);
  CHECK(f.dispatcher->RetryAfter() >= milliseconds(1));
  f.gate.Open();
  f.recorder.Await(3);
  CHECK(f.recorder[c.request].times == 0);
}

TEST_CASE("AnUnusedReservationIsGivenBack") {
  Fixture f(false, {.max_requests = 1});
  { CHECK(f.dispatcher->Reserve(0, 1).ok()); }
  CHECK(f.dispatcher->Reserve(0, 1).ok());
}

TEST_CASE("CancelledWorkIsNeverComputedAndFreesItsPlace") {
  Fixture f(true, {.max_requests = 1});
  f.Occupy();
  TestRequest a(7, 1, &f.recorder), b(8, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  f.dispatcher->Cancel(a.request);
  f.recorder.Await(1);
  CHECK(f.recorder[a.request].status.code() == absl::StatusCode::kCancelled);
  CHECK(f.Submit({b.get()}).ok());
  f.gate.Open();
  f.recorder.Await(3);
  CHECK(f.encoder->batch_sizes == std::vector<size_t>{1, 1});
  CHECK(f.recorder[a.request].times == 1);
}

TEST_CASE("CancellingWhatRunsOrHasEndedChangesNothing") {
  Fixture f(true);
  f.Occupy();
  f.dispatcher->Cancel(f.blocker.request);
  f.gate.Open();
  f.recorder.Await(1);
  f.dispatcher->Cancel(f.blocker.request);
  f.dispatcher->Stop();
  CHECK(f.recorder[f.blocker.request].status.ok());
  CHECK(f.recorder[f.blocker.request].times == 1);
}

TEST_CASE("ExpiredWorkIsNeverComputed") {
  Fixture f(true);
  f.Occupy();
  TestRequest a(1, 1, &f.recorder), b(1, 1, &f.recorder);
  a.request.deadline = f.clock.Now() + milliseconds(5);
  b.request.deadline = f.clock.Now() + milliseconds(50);
  REQUIRE(f.Submit({a.get(), b.get()}).ok());
  f.clock.Advance(milliseconds(5));
  f.gate.Open();
  f.recorder.Await(3);
  CHECK(f.recorder[a.request].status.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(f.recorder[b.request].status.ok());
  CHECK(f.encoder->batch_sizes == std::vector<size_t>{1, 1});
}

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
  TestRequest a(1, 1, &recorder);
  a.request.model = *id;
  auto reservation = dispatcher.Reserve(*id, 1);
  REQUIRE(reservation.ok());
  REQUIRE(dispatcher.Submit(*std::move(reservation), std::span(std::initializer_list<Request*>{a.get()})).ok());
  recorder.Await(1);
  CHECK(recorder[a.request].status.ok());
}

TEST_CASE("ADispatcherThatNeverHadAModelStops") {
  FakeClock clock;
  Dispatcher dispatcher(Options({}, 0), &clock);
  dispatcher.Stop();
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::make_unique<FakeEncoder>(false, false));
  CHECK(dispatcher.AddModel(std::move(replicas), {}).status().code() == absl::StatusCode::kUnavailable);
}

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
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::move(encoder));
  REQUIRE(dispatcher.AddModel(std::move(replicas), {}).ok());
  TestRequest first(1, 1, &recorder), a(2, 3, &recorder), bad(kPoison, 1, &recorder), b(4, 2, &recorder);
  std::vector<Request*> calls[] = {{first.get()}, {a.get(), bad.get(), b.get()}};
  for (const auto& call : calls) {
    REQUIRE(dispatcher.Submit(*dispatcher.Reserve(0, call.size()), call).ok());
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
  Fixture f;
  f.encoder->rows_withheld = 1;
  TestRequest a(1, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  f.recorder.Await(1);
  CHECK(f.recorder[a.request].status.code() == absl::StatusCode::kInternal);
}

TEST_CASE("StopFinishesWhatRunsAndEndsWhatWaits") {
  Fixture f(true);
  f.Occupy();
  TestRequest waiting(1, 1, &f.recorder);
  REQUIRE(f.Submit({waiting.get()}).ok());
  std::thread stopper([&] { f.dispatcher->Stop(); });
  f.recorder.Await(1);
  CHECK(f.recorder[waiting.request].status.code() == absl::StatusCode::kUnavailable);
  f.gate.Open();
  stopper.join();
  CHECK(f.recorder[f.blocker.request].status.ok());
  CHECK(f.dispatcher->Reserve(0, 1).status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("AListenerMaySubmitFromOnDone") {
  Fixture f;
  TestRequest a(1, 1, &f.recorder), b(2, 1, &f.recorder);
  bool accepted = false;
  f.recorder.on_done = [&](Request& done) {
    if (&done == a.get()) accepted = f.Submit({b.get()}).ok();
  };
  REQUIRE(f.Submit({a.get()}).ok());
  f.recorder.Await(2);
  CHECK(accepted);
  CHECK(f.recorder[b.request].status.ok());
}

TEST_CASE("ABudgetBelowTheLongestTextIsRefused") {
  FakeClock clock;
  Dispatcher dispatcher(Options({}, 1), &clock);
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::make_unique<FakeEncoder>());
  CHECK(dispatcher.AddModel(std::move(replicas), {.max_batch_tokens = 63}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("IdenticalRequestsAreComputedOnceAndEachIsAnswered") {
  FakeClock clock;
  Recorder recorder;
  Gate gate;
  auto owned = std::make_unique<FakeEncoder>();
  FakeEncoder* encoder = owned.get();
  encoder->on_run = [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  Dispatcher dispatcher({}, &clock);
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::move(owned));
  REQUIRE(dispatcher.AddModel(std::move(replicas), {}).ok());
  TestRequest running(3, 2, &recorder), joins(3, 2, &recorder), waits(5, 1, &recorder), twin(5, 1, &recorder),
      gone(5, 1, &recorder);
  const auto submit = [&](TestRequest& test) {
    Request* request = test.get();
    REQUIRE(dispatcher.Submit(*dispatcher.Reserve(0, 1), std::span(&request, 1)).ok());
  };
  submit(running);
  gate.AwaitArrivals(1);
  for (TestRequest* test : {&joins, &waits, &twin, &gone}) submit(*test);
  dispatcher.Cancel(gone.request);
  gate.Open();
  recorder.Await(5);
  dispatcher.Stop();
  CHECK(encoder->batch_sizes == std::vector<size_t>{1, 1});
  for (TestRequest* test : {&running, &joins}) CHECK(recorder[test->request].output == std::vector<float>{6, 2});
  for (TestRequest* test : {&waits, &twin}) CHECK(recorder[test->request].output == std::vector<float>{5, 1});
  CHECK(recorder[gone.request].status.code() == absl::StatusCode::kCancelled);
  for (TestRequest* test : {&running, &joins, &waits, &twin, &gone}) CHECK(recorder[test->request].times == 1);
}

TEST_CASE("TheNextBatchIsStagedWhileOneRunsAndTakesNewcomersUntilItStarts") {
  Fixture f(true);
  f.Occupy();
  TestRequest a(2, 1, &f.recorder), b(3, 1, &f.recorder), c(4, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  while (f.encoder->stagings.load() < 2) std::this_thread::yield();  // the blocker, and now `a`
  REQUIRE(f.Submit({b.get()}).ok());
  REQUIRE(f.Submit({c.get()}).ok());
  f.dispatcher->Cancel(b.request);
  f.gate.Open();
  f.recorder.Await(4);
  f.dispatcher->Stop();
  CHECK(f.encoder->batch_sizes == std::vector<size_t>{1, 2});
  CHECK(f.encoder->stagings == 3);  // it was staged again, with `c`
  CHECK(f.recorder[a.request].output == std::vector<float>{2, 1});
  CHECK(f.recorder[c.request].output == std::vector<float>{4, 1});
  CHECK(f.recorder[b.request].status.code() == absl::StatusCode::kCancelled);
}

TEST_CASE("WhatWasStagedRunsAsItIsIfNothingChanged") {
  Fixture f(true);
  f.Occupy();
  TestRequest a(2, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  while (f.encoder->stagings.load() < 2) std::this_thread::yield();
  f.gate.Open();
  f.recorder.Await(2);
  f.dispatcher->Stop();
  CHECK(f.encoder->stagings == 2);
  CHECK(f.recorder[a.request].output == std::vector<float>{2, 1});
}

TEST_CASE("ACallIsCancelledAsAWhole") {
  Fixture f(true);
  f.Occupy();
  TestRequest a(2, 1, &f.recorder), b(3, 1, &f.recorder);
  std::vector<Request*> call = {a.get(), b.get()};
  REQUIRE(f.Submit(call).ok());
  f.dispatcher->Cancel(call);
  f.recorder.Await(2);
  f.gate.Open();
  f.recorder.Await(3);
  f.dispatcher->Stop();
  CHECK(f.encoder->batch_sizes == std::vector<size_t>{1});
  for (Request* request : call) CHECK(f.recorder[*request].status.code() == absl::StatusCode::kCancelled);
}

TEST_CASE("AForwardPassThatDoesNotReturnIsGivenUpAndTheWorkerWorksOnWhenItDoes") {
  FakeClock clock;
  Recorder recorder;
  Gate gate;
  auto owned = std::make_unique<FakeEncoder>();
  owned->on_run = [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  Dispatcher dispatcher({.stuck_after = milliseconds(200)}, &clock);
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::move(owned));
  REQUIRE(dispatcher.AddModel(std::move(replicas), {}).ok());
  TestRequest stuck(1, 1, &recorder), waiting(2, 1, &recorder), later(3, 1, &recorder);
  for (TestRequest* test : {&stuck, &waiting}) {
    Request* request = test->get();
    REQUIRE(dispatcher.Submit(*dispatcher.Reserve(0, 1), std::span(&request, 1)).ok());
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
  Request* request = later.get();
  REQUIRE(dispatcher.Submit(*dispatcher.Reserve(0, 1), std::span(&request, 1)).ok());
  recorder.Await(3);
  CHECK(recorder[later.request].status.ok());
  CHECK(recorder[stuck.request].times == 1);
}

/// Counts what it is told.
struct CountingObserver final : PassObserver {
  void OnPass(const absl::Status& status, Duration) override { (status.ok() ? succeeded : failed) += 1; }
  void OnStuck() override { stuck += 1; }
  void OnReturned() override { returned += 1; }
  std::atomic<int> succeeded{0}, failed{0}, stuck{0}, returned{0};
};

TEST_CASE("AModelsObserverLearnsOfEachOfItsPassesAndOfNoOthers") {
  constexpr int32_t kPoison = 13;
  Fixture f(true);
  auto observer = std::make_shared<CountingObserver>();
  auto encoder = std::make_unique<FakeEncoder>();
  encoder->on_run = [kPoison](const std::vector<int32_t>& ids) {
    return std::ranges::count(ids, kPoison) > 0 ? absl::InternalError("bad id") : absl::OkStatus();
  };
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::move(encoder));
  const ModelId id = *f.dispatcher->AddModel(std::move(replicas), {}, {}, observer);
  f.Occupy();  // the other model
  TestRequest good(1, 1, &f.recorder, id), bad(kPoison, 1, &f.recorder, id);
  REQUIRE(f.Submit({good.get(), bad.get()}).ok());
  f.gate.Open();
  f.recorder.Await(3);
  f.dispatcher->Stop();
  CHECK(observer->succeeded == 1);
  CHECK(observer->failed == 2);  // the batch, and then the bad one alone
  CHECK(observer->stuck == 0);
}

TEST_CASE("AnObserverLearnsOfAPassThatDoesNotReturnAndWhenItDoes") {
  FakeClock clock;
  Recorder recorder;
  Gate gate;
  const auto observer = std::make_shared<CountingObserver>();
  auto encoder = std::make_unique<FakeEncoder>();
  encoder->on_run = [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  Dispatcher dispatcher({.stuck_after = milliseconds(50)}, &clock);
  std::vector<std::unique_ptr<Encoder>> replicas;
  replicas.push_back(std::move(encoder));
  REQUIRE(dispatcher.AddModel(std::move(replicas), {}, {}, observer).ok());
  TestRequest test(1, 1, &recorder);
  Request* request = test.get();
  REQUIRE(dispatcher.Submit(*dispatcher.Reserve(0, 1), std::span(&request, 1)).ok());
  while (observer->stuck == 0) std::this_thread::yield();
  CHECK(observer->returned == 0);
  gate.Open();
  while (observer->returned == 0) std::this_thread::yield();
  dispatcher.Stop();
  CHECK(observer->succeeded + observer->failed == 0);  // too late to be either
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
    if (gate) {
      encoder->on_run = [gate](const std::vector<int32_t>&) {
        gate->Pass();
        return absl::OkStatus();
      };
    }
    replicas.push_back(std::move(encoder));
  }
  absl::StatusOr<ModelId> id = dispatcher.AddModel(std::move(replicas), {.max_batch_requests = 1});
  REQUIRE(id.ok());
  return *id;
}

TEST_CASE("AReservationIsForItsModelAndMayOutliveIt") {
  Fixture f(false, {.max_requests = 2});
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
  Fixture f;
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
  Fixture f;
  const ModelId id = AddMortal(*f.dispatcher, 1, alive);
  if (stopped) f.dispatcher->Stop();
  f.dispatcher->RemoveModel(id);
  CHECK(alive == 0);
}

TEST_CASE("CancellingTheLastWaitingRequestLetsAModelGo") {
  std::atomic<int> alive = 0;
  Fixture f(true);
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

TEST_CASE("UnderConcurrentSubmitsCancelsAndStopEveryAcceptedRequestEndsExactlyOnce") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    FakeClock clock;
    Recorder recorder;
    auto dispatcher = std::make_unique<Dispatcher>(Options({.max_requests = 64}, 2), &clock);
    for (int model = 0; model < 2; ++model) {
      std::vector<std::unique_ptr<Encoder>> replicas;
      for (int worker = 0; worker < 2; ++worker) replicas.push_back(std::make_unique<FakeEncoder>());
      REQUIRE(dispatcher->AddModel(std::move(replicas), {.max_batch_requests = 8}).ok());
    }
    constexpr int kThreads = 4, kEach = 100;
    std::vector<std::unique_ptr<TestRequest>> requests;
    for (int i = 0; i < kThreads * kEach; ++i) {
      requests.push_back(std::make_unique<TestRequest>(i + 1, 1 + i % 7, &recorder, i % 2));
    }
    std::vector<char> accepted(requests.size(), 0);
    std::vector<std::thread> callers;
    for (int t = 0; t < kThreads; ++t) {
      callers.emplace_back([&, t] {
        std::mt19937 random(seed * 100 + t);
        for (int i = t * kEach; i < (t + 1) * kEach; ++i) {
          Request* request = requests[i]->get();
          absl::StatusOr<Reservation> reservation = dispatcher->Reserve(request->model, 1);
          if (!reservation.ok()) continue;
          accepted[i] = dispatcher->Submit(*std::move(reservation), {&request, 1}).ok();
          if (random() % 3 == 0) dispatcher->Cancel(*request);
        }
      });
    }
    if (seed % 2) dispatcher->Stop();
    for (std::thread& caller : callers) caller.join();
    dispatcher->Stop();
    for (size_t i = 0; i < requests.size(); ++i) {
      const Recorder::Ended ended = recorder[requests[i]->request];
      REQUIRE(ended.times == (accepted[i] ? 1 : 0));
      if (accepted[i] && ended.status.ok()) {
        const auto length = static_cast<float>(requests[i]->ids.size());
        REQUIRE(ended.output == std::vector<float>{static_cast<float>(i + 1) * length, length});
      }
    }
  }
}

}  // namespace
}  // namespace bertha::batcher
