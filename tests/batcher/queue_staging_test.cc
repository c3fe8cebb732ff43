// What the contract in batch_queue.h says of batches that are staged while another one runs.
#include "batcher/batch_queue.h"

#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Requests = std::vector<Request*>;

struct StagedFixture : QueueFixture {
  using QueueFixture::QueueFixture;
  const Requests& Stage(TimePoint now = kStart) {
    queue.Stage(now, batch, ended);
    return batch.requests;
  }
  bool Start(TimePoint now = kStart) { return queue.Start(now, batch, ended); }
  Batch batch;
};

TEST_CASE("AStagedBatchStartsAsItWasIfNothingChanged") {
  StagedFixture f({}, {.max_batch_requests = 2});
  const Requests staged = {f.Pushed({1, kStart + seconds(1)}), f.Pushed({1, kStart + seconds(2)})};
  f.Pushed({1, kStart + seconds(3)});
  CHECK(f.Stage() == staged);
  CHECK(f.queue.size() == 3);  // they still wait
  CHECK(f.queue.unstaged() == 1);
  CHECK(f.queue.Waits(0));
  CHECK(f.Start(kStart + milliseconds(1)));
  CHECK(f.batch.requests == staged);
  CHECK(f.batch.started == kStart + milliseconds(1));
  CHECK(f.queue.size() == 1);
}

TEST_CASE("NewcomersThatFitJoinAStagedBatch") {
  StagedFixture f({}, {.max_batch_requests = 3});
  Request* first = f.Pushed({1, kStart + seconds(1)});
  f.Stage();
  Request* newcomer = f.Pushed({1, kStart + seconds(2)});
  CHECK_FALSE(f.Start());
  CHECK(f.batch.requests == Requests{first, newcomer});
}

TEST_CASE("NewcomersThatAreMoreUrgentAreInABatchThatWasFull") {
  for (const auto priority : {Priority::kNormal, Priority::kHigh}) {
    StagedFixture f({}, {.max_batch_requests = 2});
    Request* a = f.Pushed({1, kStart + seconds(1)});
    f.Pushed({1, kStart + seconds(3)});
    f.Stage();
    Request* newcomer = f.Pushed({1, kStart + seconds(priority == Priority::kHigh ? 9 : 2), priority});
    CHECK_FALSE(f.Start());
    CHECK(Sorted(f.batch.requests) == Sorted({a, newcomer}));
  }
}

TEST_CASE("NewcomersThatAreLessUrgentDoNotDisturbAFullBatch") {
  StagedFixture f({}, {.max_batch_requests = 2});
  f.Pushed({1, kStart + seconds(1)});
  f.Pushed({1, kStart + seconds(2)});
  f.Stage();
  f.Pushed({1, kStart + seconds(3)});
  f.Pushed({1, kStart + milliseconds(1), Priority::kBatch});
  CHECK(f.Start());
}

TEST_CASE("WhatIsCancelledBeforeItStartsNeverStarts") {
  StagedFixture f;
  Request *a = f.Pushed({}), *b = f.Pushed({}), *c = f.Pushed({});
  CHECK(f.Stage() == Requests{a, b, c});
  CHECK(f.queue.Remove(*b));
  CHECK(f.queue.size() == 2);
  CHECK_FALSE(f.Start());
  CHECK(f.batch.requests == Requests{a, c});
  CHECK(f.batch.stats.size == 2);

  CHECK(f.queue.empty());
  Request* only = f.Pushed({});
  Batch batch;
  f.queue.Stage(kStart, batch, f.ended);
  CHECK(f.queue.Remove(*only));
  CHECK_FALSE(f.queue.Start(kStart, batch, f.ended));
  CHECK(batch.requests.empty());
}

TEST_CASE("WhatExpiresWhileItIsStagedNeverStarts") {
  StagedFixture f;
  Request* expired = f.Pushed({1, kStart + seconds(1)});
  Request* alive = f.Pushed({1, kStart + seconds(3)});
  f.Stage();
  CHECK_FALSE(f.Start(kStart + seconds(1)));
  CHECK(f.batch.requests == Requests{alive});
  CHECK(f.EndedBy(Ending::kExpired) == Requests{expired});
}

TEST_CASE("AnIdleWorkerTakesWhatIsStagedForAnother") {
  StagedFixture f({.workers = 2});
  const Requests both = {f.Pushed({}), f.Pushed({})};
  f.Stage();
  CHECK(f.NextRequests() == both);
  CHECK(f.batch.requests.empty());
  CHECK_FALSE(f.Start());
  CHECK(f.batch.requests.empty());
  CHECK(f.queue.empty());
}

TEST_CASE("ClearTakesEverythingOut") {
  StagedFixture f({}, {.max_batch_requests = 2});
  f.Pushed({.text = 6});
  const Batch running = f.Next();
  Request* with_running = f.Pushed({.text = 6});
  Requests waiting;
  for (int i = 0; i < 9; ++i)
    waiting.push_back(f.Pushed({.priority = static_cast<Priority>(i % 3), .text = 1 + i % 4}));
  f.Stage();
  f.queue.Clear(Ending::kStopped, f.ended);
  CHECK(f.queue.empty());
  CHECK(f.queue.tokens() == 0);
  CHECK(f.queue.unstaged() == 0);
  CHECK(Sorted(f.EndedBy(Ending::kStopped)) == Sorted(waiting));
  CHECK(f.ended.size() == waiting.size());
  CHECK_FALSE(f.Start());
  CHECK(f.batch.requests.empty());
  CHECK(running.requests[0]->twin() == with_running);  // that one is answered, since it runs
  f.queue.Finished(kStart + milliseconds(1), running);
}

}  // namespace
}  // namespace bertha::batcher
