#include "batcher/dispatcher.h"

#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "tests/batcher/dispatcher_fixture.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;

TEST_CASE("ARequestGetsItsOwnRow") {
  DispatcherFixture f;
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
  REQUIRE(dispatcher.AddModel(Only(std::make_unique<FakeEncoder>(/*pads=*/false, /*row_per_token=*/true)), {}).ok());
  TestRequest a(3, 2, &recorder), b(5, 3, &recorder);
  REQUIRE(Submit(dispatcher, {a.get(), b.get()}).ok());
  recorder.Await(2);
  CHECK(recorder[a.request].output == std::vector<float>{3, 0, 3, 1});
  CHECK(recorder[b.request].output == std::vector<float>{5, 0, 5, 1, 5, 2});
}

TEST_CASE("AnIdleWorkerDoesNotWaitForMore") {
  DispatcherFixture f;
  TestRequest a(1, 1, &f.recorder);
  REQUIRE(f.Submit({a.get()}).ok());
  f.recorder.Await(1);  // the fake clock never moves: nothing could have timed out
  CHECK(f.recorder[a.request].batch.size == 1);
}

TEST_CASE("WorkGathersWhileTheWorkerIsBusy") {
  DispatcherFixture f(true);
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
  DispatcherFixture f(true, {.max_requests = 2});
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
  DispatcherFixture f(false, {.max_requests = 1});
  { CHECK(f.dispatcher->Reserve(0, 1).ok()); }
  CHECK(f.dispatcher->Reserve(0, 1).ok());
}

TEST_CASE("CancelledWorkIsNeverComputedAndFreesItsPlace") {
  DispatcherFixture f(true, {.max_requests = 1});
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
  DispatcherFixture f(true);
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
  DispatcherFixture f(true);
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

TEST_CASE("StopFinishesWhatRunsAndEndsWhatWaits") {
  DispatcherFixture f(true);
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
  DispatcherFixture f;
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

TEST_CASE("IdenticalRequestsAreComputedOnceAndEachIsAnswered") {
  FakeClock clock;
  Recorder recorder;
  Gate gate;
  auto owned = GatedEncoder(gate);
  FakeEncoder* encoder = owned.get();
  Dispatcher dispatcher({}, &clock);
  REQUIRE(dispatcher.AddModel(Only(std::move(owned)), {}).ok());
  TestRequest running(3, 2, &recorder), joins(3, 2, &recorder), waits(5, 1, &recorder), twin(5, 1, &recorder),
      gone(5, 1, &recorder);
  REQUIRE(Submit(dispatcher, {running.get()}).ok());
  gate.AwaitArrivals(1);
  for (TestRequest* test : {&joins, &waits, &twin, &gone}) REQUIRE(Submit(dispatcher, {test->get()}).ok());
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
  DispatcherFixture f(true);
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
  DispatcherFixture f(true);
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
  DispatcherFixture f(true);
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
