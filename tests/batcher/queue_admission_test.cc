// What the contract in batch_queue.h says of admission: who is refused because it could not end in time.
#include "batcher/batch_queue.h"

#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Requests = std::vector<Request*>;

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

TEST_CASE("NothingIsRefusedWhileNothingIsKnownOfTheModelsSpeed") {
  QueueFixture f;
  for (int i = 0; i < 1000; ++i) f.Pushed({100, kStart + Duration(1)});
}

TEST_CASE("ARequestThatCannotEndByItsDeadlineIsRefusedAtOnce") {
  QueueFixture f({}, {}, kTenMilliseconds.Table());
  CHECK(f.CodeOf({1, kStart + milliseconds(9)}) == kExhausted);
  CHECK(f.CodeOf({1, kStart + milliseconds(15)}) == absl::StatusCode::kOk);
  CHECK(f.queue.size() == 1);
}

TEST_CASE("ARequestIsRefusedThatWouldKeepAnAcceptedOneFromEndingByItsDeadline") {
  QueueFixture f({}, {.max_batch_requests = 1}, kTenMilliseconds.Table());
  for (int i = 0; i < 9; ++i) f.Pushed({1, kStart + seconds(2)});
  size_t accepted = 9;
  while (accepted < 1000 && f.CodeOf({1, kStart + seconds(1)}) == absl::StatusCode::kOk) ++accepted;
  // 100 fit before one second, and a few fewer are let in: deadlines are rounded.
  CHECK(accepted > 80);
  CHECK(accepted <= 109);
  TimePoint now = kStart;
  for (Batch batch = f.Next(now); !batch.requests.empty(); batch = f.Next(now)) {
    now += milliseconds(10);
    CHECK(now <= batch.requests[0]->deadline);
    f.queue.Finished(now, batch);
  }
  CHECK(f.ended.empty());
}

TEST_CASE("ACallWhoseRequestsWouldBeLateTogetherIsRefusedThoughOneWouldNot") {
  QueueFixture f({}, {.max_batch_requests = 1}, kTenMilliseconds.Table());
  Requests call;
  for (int i = 0; i < 20; ++i) call.push_back(f.New({1, kStart + milliseconds(100)}));
  CHECK(f.Push(call).code() == kExhausted);
  CHECK(f.queue.empty());
  CHECK(f.Push({call[0]}).ok());
}

TEST_CASE("WithoutAdmissionEverythingIsLetInAndTriedUntilItExpires") {
  QueueFixture f({.admission = false}, {}, kTenMilliseconds.Table());
  Request* late = f.Pushed({1, kStart + milliseconds(1)});
  CHECK(f.NextRequests() == Requests{late});
}

TEST_CASE("TwoWorkersAdmitTwiceAsMuch") {
  size_t accepted[3] = {};
  for (const size_t workers : {1, 2}) {
    QueueFixture f({.workers = workers}, {.max_batch_requests = 1}, kTenMilliseconds.Table());
    while (f.CodeOf({1, kStart + seconds(1)}) == absl::StatusCode::kOk) accepted[workers] += 1;
  }
  CHECK(accepted[2] >= 2 * accepted[1] - 1);
  CHECK(accepted[2] <= 2 * accepted[1] + 1);
}

/// Pushes a request with a deadline in 100 ms and runs what there is, which takes 10 ms.
size_t Serve(QueueFixture& f, TimePoint& now) {
  (void)f.Push({f.New({1, now + milliseconds(100)})}, now);
  const Batch batch = f.Next(now);
  now += milliseconds(10);
  if (!batch.requests.empty()) f.queue.Finished(now, batch);
  return batch.requests.size();
}

TEST_CASE("AClockThatJumpsFarForwardExpiresWhatWaitsAndSpoilsNothing") {
  QueueFixture f({}, {.max_batch_requests = 8}, kTenMilliseconds.Table());
  TimePoint now = kStart;
  for (int jump = 0; jump < 10; ++jump) {
    f.Pushed({1, now + seconds(1)}, now);
    const Batch running = f.Next(now);
    REQUIRE(running.requests.size() == 1);
    for (int i = 0; i < 100; ++i) (void)f.Push({f.New({1, now + seconds(10)})}, now);
    const size_t waiting = f.queue.size();
    CHECK(waiting >= 50);
    now += hours(24 * 365);
    f.queue.Finished(now, running);
    CHECK(f.Next(now).requests.empty());
    CHECK(f.EndedBy(Ending::kExpired).size() == waiting);
    f.ended.clear();
    // What comes afterwards is served as before.
    size_t served = 0;
    for (int i = 0; i < 300; ++i) served += Serve(f, now);
    CHECK(served >= 270);
  }
}

TEST_CASE("AModelThatWasSlowOnceIsTriedAgain") {
  QueueFixture f;
  f.Pushed({1, kStart + milliseconds(100)});
  f.queue.Finished(kStart + seconds(5), f.Next());  // the first run: libraries were loaded
  TimePoint now = kStart + seconds(5);
  size_t served = 0;
  for (int i = 0; i < 1000; ++i) served += Serve(f, now);
  CHECK(served >= 800);
}

}  // namespace
}  // namespace bertha::batcher
