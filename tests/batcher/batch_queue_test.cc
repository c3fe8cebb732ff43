// Each sentence of the contract in batch_queue.h, by name.
#include "batcher/batch_queue.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Requests = std::vector<Request*>;

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

/// Ten milliseconds, whatever the batch.
const Line kTenMilliseconds{milliseconds(10), Duration(0)};

// ---- bounds

TEST_CASE("AnEmptyQueueHasNoBatch") {
  QueueFixture f;
  const Batch batch = f.Next();
  CHECK(batch.requests.empty());
  CHECK(batch.wait_until == TimePoint::max());
  CHECK(f.ended.empty());
}

TEST_CASE("TheQueueIsBoundedInRequestsReservedOnesIncluded") {
  QueueFixture f({.max_requests = 3});
  REQUIRE(f.queue.Reserve(0, 2, Priority::kNormal, f.ended).ok());
  f.Pushed({});
  CHECK(f.CodeOf({}) == kExhausted);
  f.queue.Unreserve(0, 2);
  CHECK(f.Push({f.New({}), f.New({})}).ok());
  CHECK(f.CodeOf({}) == kExhausted);
  CHECK(f.queue.size() == 3);
  CHECK(f.Next().requests.size() == 3);
  CHECK(f.CodeOf({}) == absl::StatusCode::kOk);
}

TEST_CASE("TheQueueIsBoundedInTokens") {
  QueueFixture f({.max_tokens = 10});
  f.Pushed({4});
  CHECK(f.CodeOf({7}) == kExhausted);
  f.Pushed({6});
  CHECK(f.queue.tokens() == 10);
  CHECK(f.queue.Reserve(0, 1, Priority::kNormal, f.ended).code() == kExhausted);  // before anybody tokenizes
}

TEST_CASE("ACallIsAcceptedTogetherOrNotAtAll") {
  QueueFixture f({.max_tokens = 10});
  f.Pushed({4});
  CHECK(f.Push({f.New({4}), f.New({4})}).code() == kExhausted);
  CHECK(f.Push({f.New({1}), f.New({1, kStart})}).code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(f.queue.size() == 1);
  CHECK(f.queue.tokens() == 4);
  CHECK(f.Next().requests.size() == 1);
}

TEST_CASE("ARefusedCallGivesItsReservationBack") {
  QueueFixture f({.max_requests = 2});
  for (int i = 0; i < 10; ++i) CHECK(f.CodeOf({1, kStart}) == absl::StatusCode::kDeadlineExceeded);
  CHECK(f.Push({f.New({}), f.New({})}).ok());
}

TEST_CASE("ACallThatCanNeverFitIsTheCallersMistake") {
  QueueFixture f({.max_requests = 2, .max_tokens = 10});
  CHECK(f.queue.Reserve(0, 3, Priority::kHigh, f.ended).code() == absl::StatusCode::kInvalidArgument);
  CHECK(f.Push({f.New({6}), f.New({6})}).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("ARemovedRequestFreesItsPlaceAtOnce") {
  QueueFixture f({.max_requests = 1});
  Request* request = f.Pushed({5});
  CHECK(f.queue.Remove(*request));
  CHECK_FALSE(f.queue.Remove(*request));
  CHECK(f.queue.tokens() == 0);
  f.Pushed({});
}

TEST_CASE("WhatWasNotAcceptedHasStartedOrIsAnsweredCannotBeRemoved") {
  QueueFixture f;
  CHECK_FALSE(f.queue.Remove(*f.New({})));
  Request* request = f.Pushed({});
  const Batch batch = f.Next();
  CHECK_FALSE(f.queue.Remove(*request));
  f.queue.Finished(kStart + milliseconds(1), batch);
  CHECK_FALSE(f.queue.Remove(*request));
}

TEST_CASE("ARequestThatEndedMayComeAgain") {
  QueueFixture f;
  Request *leader = f.Pushed({.text = 5}), *twin = f.Pushed({.text = 5});
  f.queue.Finished(kStart + milliseconds(1), f.Next());
  REQUIRE(f.Push({leader}).ok());  // alone: its twin of then is not in the queue
  CHECK(f.queue.size() == 1);
  const Batch batch = f.Next();
  CHECK(f.queue.empty());
  CHECK(leader->twin() == nullptr);
  f.queue.Finished(kStart + milliseconds(2), batch);
  f.requests[1]->ids[0] = 6;
  REQUIRE(f.Push({twin}).ok());  // with another text
  f.Pushed({.text = 6});
  CHECK(f.queue.unstaged() == 1);
  CHECK(f.Next().requests == Requests{twin});
}

// ---- admission

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

// ---- priorities

TEST_CASE("HigherPrioritiesGoFirstWhateverTheDeadlines") {
  QueueFixture f;
  Request* batch = f.Pushed({1, kStart + seconds(1), Priority::kBatch});
  Request* normal = f.Pushed({1, kStart + seconds(2), Priority::kNormal});
  Request* high = f.Pushed({1, kStart + seconds(3), Priority::kHigh});
  CHECK(f.NextRequests() == Requests{high, normal, batch});
}

TEST_CASE("WhenFullLowerPrioritiesMakeRoomTheLowestAndLeastUrgentFirst") {
  QueueFixture f({.max_requests = 4});
  Request* normal = f.Pushed({1, kStart + seconds(9), Priority::kNormal});
  Request* soon = f.Pushed({1, kStart + seconds(1), Priority::kBatch});
  Request* later = f.Pushed({1, kStart + seconds(2), Priority::kBatch});
  f.Pushed({1, kStart + seconds(9), Priority::kHigh});
  CHECK(f.CodeOf({.priority = Priority::kBatch}) == kExhausted);
  CHECK(f.ended.empty());
  f.Pushed({.priority = Priority::kHigh});
  f.Pushed({.priority = Priority::kNormal});
  CHECK(f.EndedBy(Ending::kEvicted) == Requests{later, soon});
  f.Pushed({.priority = Priority::kHigh});
  CHECK(f.ended.size() == 3);
  CHECK(f.ended[2].request != normal);  // the other one had the default deadline, which is later
  f.Pushed({.priority = Priority::kHigh});
  CHECK(f.ended[3].request == normal);
  CHECK(f.CodeOf({.priority = Priority::kHigh}) == kExhausted);
  CHECK(f.queue.size() == 4);
}

TEST_CASE("WhenFullOfTokensLowerPrioritiesMakeRoom") {
  QueueFixture f({.max_tokens = 10});
  Requests low = {f.Pushed({4, kStart + seconds(1), Priority::kBatch}),
                  f.Pushed({4, kStart + seconds(2), Priority::kBatch})};
  f.Pushed({.length = 5, .priority = Priority::kNormal});
  CHECK(f.EndedBy(Ending::kEvicted) == Requests{low[1]});
  CHECK(f.queue.tokens() == 9);
}

TEST_CASE("NobodyIsEvictedForACallThatIsRefusedAllTheSame") {
  QueueFixture f({.max_requests = 4, .max_tokens = 100});
  f.Pushed({.priority = Priority::kBatch});
  f.Pushed({.priority = Priority::kHigh});
  Requests call;
  for (int i = 0; i < 4; ++i) call.push_back(f.New({.priority = Priority::kHigh}));
  CHECK(f.Push(call).code() == kExhausted);
  CHECK(f.CodeOf({.length = 100, .priority = Priority::kHigh}) == kExhausted);
  CHECK(f.ended.empty());
  CHECK(f.queue.size() == 2);
}

TEST_CASE("ALowPriorityIsServedThoughHighOnesKeepComing") {
  for (const auto priority : {Priority::kNormal, Priority::kBatch}) {
    QueueFixture f({.max_priority_delay = seconds(2)}, {.max_batch_requests = 1});
    Request* low = f.Pushed({1, kStart + seconds(20), priority});
    TimePoint now = kStart, served;
    while (served == TimePoint() && now < kStart + seconds(30)) {
      for (int i = 0; i < 2; ++i) f.Pushed({1, now + seconds(25), Priority::kHigh}, now);
      const Batch batch = f.Next(now);
      REQUIRE(batch.requests.size() == 1);
      if (batch.requests[0] == low) served = now;
      now += milliseconds(100);
      f.queue.Finished(now, batch);
    }
    // One delay for each priority above its own; then it is the most urgent of all.
    const Duration delay = seconds(2) * static_cast<int>(priority);
    CAPTURE(static_cast<int>(priority), (served - kStart).count());
    CHECK(served > kStart + delay);
    CHECK(served <= kStart + delay + milliseconds(200));
  }
}

// ---- order

TEST_CASE("EarlierDeadlinesGoFirstThenArrival") {
  QueueFixture f;
  Request* late = f.New({1, kStart + seconds(3)});
  Request* soon = f.New({1, kStart + seconds(1)});
  Request* tie_a = f.New({1, kStart + seconds(2)});
  Request* tie_b = f.New({1, kStart + seconds(2)});
  REQUIRE(f.Push({late, soon, tie_a, tie_b}).ok());
  CHECK(f.NextRequests() == Requests{soon, tie_a, tie_b, late});
}

TEST_CASE("ARequestWithoutADeadlineGetsTheDefaultDeadline") {
  QueueFixture f({.default_deadline = seconds(5)}, {.max_batch_requests = 1});
  Request* patient = f.Pushed({});
  CHECK(patient->deadline == kStart + seconds(5));
  f.Pushed({1, kStart + seconds(6)}, kStart + seconds(1));
  CHECK(f.NextRequests(kStart + seconds(2)) == Requests{patient});
}

TEST_CASE("ABatchIsOfOneModelAndWithinItsLimits") {
  QueueFixture f({}, {.max_batch_requests = 2});
  const ModelId packed = f.queue.AddModel({.max_batch_tokens = 10});
  const ModelId padded = f.queue.AddModel({.max_batch_tokens = 12, .pads = true});
  for (int i = 0; i < 3; ++i) f.Pushed({});
  for (const size_t length : {4, 6, 1}) f.Pushed({.length = length, .model = packed});
  for (const size_t length : {2, 6, 1}) f.Pushed({.length = length, .model = padded});
  std::map<ModelId, std::vector<std::vector<uint32_t>>> batches;
  TimePoint now = kStart;
  for (Batch batch = f.Next(now); !batch.requests.empty(); batch = f.Next(now)) {
    for (const Request* request : batch.requests) CHECK(request->model == batch.model);
    batches[batch.model].push_back({batch.stats.size, batch.stats.tokens, batch.stats.padded_tokens});
    f.queue.Finished(now += milliseconds(1), batch);
  }
  using Stats = std::vector<std::vector<uint32_t>>;
  CHECK(batches[0] == Stats{{2, 2, 2}, {1, 1, 1}});
  CHECK(batches[packed] == Stats{{2, 10, 10}, {1, 1, 1}});
  CHECK(batches[padded] == Stats{{2, 8, 12}, {1, 1, 1}});
}

TEST_CASE("ATextAboveTheBudgetStillRunsAlone") {
  QueueFixture f({}, {.max_batch_tokens = 4});
  REQUIRE(f.Push({f.New({9}), f.New({1})}).ok());
  CHECK(f.Next().stats.tokens == 9);
  CHECK(f.Next().stats.tokens == 1);
}

TEST_CASE("WhatDoesNotFitTheBudgetIsPassedOverAtMostMaxSkipsTimes") {
  for (const size_t max_skips : {0, 1, 3, 8}) {
    CAPTURE(max_skips);
    QueueFixture f({.max_skips = max_skips}, {.max_batch_tokens = 10});
    f.Pushed({6, kStart + seconds(10)});
    Request* passed = f.Pushed({5, kStart + seconds(11)});
    for (size_t skips = 0; skips < max_skips; ++skips) {
      Request* fits = f.Pushed({4, kStart + seconds(12)});
      const Requests batch = f.NextRequests();
      REQUIRE(batch.size() == 2);
      REQUIRE(batch[1] == fits);
      f.Pushed({6, kStart + seconds(10)});
    }
    f.Pushed({4, kStart + seconds(12)});
    CHECK(f.Next().requests.size() == 1);  // nothing passes it any more
    f.Pushed({6, kStart + seconds(12)});
    const Requests batch = f.NextRequests();
    CHECK(batch[0] == passed);
  }
}

// ---- when it starts

TEST_CASE("WithoutAQueueDelayABatchNeverWaits") {
  QueueFixture f({}, {}, kTenMilliseconds.Table());
  f.Pushed({});
  CHECK(f.Next().requests.size() == 1);
}

TEST_CASE("ABatchThatIsNotFullWaitsForTheQueueDelayOfItsOldestRequest") {
  QueueFixture f({.max_queue_delay = milliseconds(5)}, {.max_batch_requests = 3}, kTenMilliseconds.Table());
  f.Pushed({});
  Batch batch = f.Next();
  CHECK(batch.requests.empty());
  CHECK(batch.wait_until == kStart + milliseconds(5));
  CHECK(f.queue.unstaged() == 1);
  f.Pushed({}, kStart + milliseconds(3));
  CHECK(f.Next(kStart + milliseconds(3)).wait_until == kStart + milliseconds(5));
  CHECK(f.Next(kStart + milliseconds(5)).requests.size() == 2);
}

TEST_CASE("AFullBatchDoesNotWait") {
  QueueFixture f({.max_queue_delay = milliseconds(5)}, {.max_batch_requests = 3}, kTenMilliseconds.Table());
  for (int i = 0; i < 3; ++i) f.Pushed({});
  CHECK(f.Next().requests.size() == 3);
}

TEST_CASE("ABatchNeverWaitsIntoTheSlackOfItsMostUrgentRequest") {
  QueueFixture f({.max_queue_delay = seconds(1)}, {}, kTenMilliseconds.Table());
  f.Pushed({1, kStart + seconds(9)});
  f.Pushed({1, kStart + milliseconds(50)});
  const TimePoint until = f.Next().wait_until;
  CHECK(until > kStart);
  CHECK(until <= kStart + milliseconds(40));
  CHECK(f.Next(until).requests.size() == 2);
}

TEST_CASE("ABatchThatWaitsHoldsNoOtherModelBack") {
  QueueFixture f({.max_queue_delay = milliseconds(5)}, {.max_batch_requests = 2});
  const ModelId other = f.queue.AddModel({.max_batch_requests = 2});
  f.Pushed({.model = 0});
  for (int i = 0; i < 2; ++i) f.Pushed({.model = other});
  const Batch batch = f.Next();
  CHECK(batch.model == other);
  CHECK(batch.requests.size() == 2);
  CHECK(f.Next().wait_until == kStart + milliseconds(5));
}

TEST_CASE("WhatIsExpiredNeverStarts") {
  QueueFixture f;
  Request* expired = f.Pushed({3, kStart + milliseconds(10)});
  Request* alive = f.Pushed({1, kStart + milliseconds(30)});
  CHECK(f.NextRequests(kStart + milliseconds(10)) == Requests{alive});
  CHECK(f.EndedBy(Ending::kExpired) == Requests{expired});
  CHECK(f.queue.empty());
  CHECK(f.queue.tokens() == 0);
}

TEST_CASE("APassedDeadlineIsNotAccepted") {
  QueueFixture f;
  CHECK(f.CodeOf({1, kStart}) == absl::StatusCode::kDeadlineExceeded);
  CHECK(f.queue.empty());
}

TEST_CASE("WhatCannotEndInTimeAnyMoreNeverStarts") {
  QueueFixture f({}, {}, kTenMilliseconds.Table());
  Request* hopeless = f.Pushed({3, kStart + milliseconds(30)});
  CHECK(f.NextRequests(kStart + milliseconds(25)).empty());
  CHECK(f.EndedBy(Ending::kTooLate) == Requests{hopeless});
}

TEST_CASE("WhatCannotEndInTimeAnyMoreNeverStartsThoughItWasStagedInTime") {
  QueueFixture f({}, {}, kTenMilliseconds.Table());
  Request* hopeless = f.Pushed({3, kStart + milliseconds(30)});
  Batch batch;
  f.queue.Stage(kStart, batch, f.ended);
  REQUIRE(batch.requests == Requests{hopeless});
  CHECK_FALSE(f.queue.Start(kStart + milliseconds(25), batch, f.ended));
  CHECK(batch.requests.empty());
  CHECK(f.EndedBy(Ending::kTooLate) == Requests{hopeless});
}

TEST_CASE("WhatCannotEndInTimeAnyMoreNeverStartsBehindAShorterTextThatCan") {
  QueueFixture f({}, {}, Line{Duration(0), milliseconds(1)}.Table());
  Request* first = f.Pushed({10, kStart + microseconds(54500)});  // just may, if the estimate is too high
  Request* hopeless = f.Pushed({20, kStart + microseconds(54600)});
  Request* last = f.Pushed({1, kStart + milliseconds(90)});
  CHECK(f.NextRequests(kStart + milliseconds(45)) == Requests{first, last});
  CHECK(f.EndedBy(Ending::kTooLate) == Requests{hopeless});
}

// ---- overload

TEST_CASE("OverloadShedsTheOldestOfTheLowestPriorityAfterAWholeWindow") {
  // By default a request has moved up to the highest class before it is old enough to be shed: its priority counts.
  for (const auto max_priority_delay : {milliseconds(1), milliseconds(1000)}) {
    CAPTURE(max_priority_delay.count());
    QueueFixture f({.max_priority_delay = max_priority_delay,
                    .overload_target = milliseconds(10),
                    .overload_window = milliseconds(100)},
                   {.max_batch_requests = 1});
    Requests low, high;
    for (int i = 0; i < 50; ++i) {
      low.push_back(f.Pushed({.priority = Priority::kBatch}));
      high.push_back(f.Pushed({.priority = Priority::kHigh}));
    }
    TimePoint now = kStart + milliseconds(11);
    const TimePoint began = now;
    Request* fresh = nullptr;
    while (f.ended.empty() && now < kStart + seconds(1)) {
      if (now == began + milliseconds(95)) fresh = f.Pushed({.priority = Priority::kBatch}, now);
      f.queue.Finished(now + milliseconds(5), f.Next(now));
      now += milliseconds(5);
    }
    CHECK(now - milliseconds(5) >= began + milliseconds(100));
    CHECK(now - milliseconds(5) <= began + milliseconds(200));
    const Requests shed = f.EndedBy(Ending::kShed);
    CHECK(shed.size() >= 25);
    CHECK(shed.size() == f.ended.size());
    CHECK(std::ranges::all_of(shed, [](const Request* r) { return r->priority == Priority::kBatch; }));
    CHECK(std::ranges::is_sorted(shed, {}, [](const Request* r) { return r->accepted; }));
    CHECK(std::ranges::find(shed, fresh) == shed.end());
  }
}

TEST_CASE("OverloadShedsOnlyInFavourOfThoseThatCameLater") {
  QueueFixture f({.overload_target = milliseconds(10), .overload_window = milliseconds(50)}, {.max_batch_requests = 1});
  for (int i = 0; i < 100; ++i) f.Pushed({});
  TimePoint now = kStart;
  while (now < kStart + milliseconds(300)) f.queue.Finished(now += milliseconds(5), f.Next(now));
  CHECK(f.ended.empty());  // one large call, and nobody else
  Request* newcomer = f.Pushed({}, now);
  CHECK(f.NextRequests(now) == Requests{newcomer});
  CHECK(f.EndedBy(Ending::kShed).size() == 40);
}

TEST_CASE("OverloadDoesNotShedWhatHasADeadlineOfItsOwn") {
  QueueFixture f({.overload_target = milliseconds(10), .overload_window = milliseconds(50)}, {.max_batch_requests = 1});
  for (int i = 0; i < 100; ++i) f.Pushed({1, kStart + seconds(600)});
  TimePoint now = kStart;
  while (!f.queue.empty() && now < kStart + seconds(10)) {
    if (now < kStart + seconds(1)) f.Pushed({1, now + seconds(600)}, now);
    f.queue.Finished(now += milliseconds(5), f.Next(now));
  }
  CHECK(f.queue.empty());
  CHECK(f.ended.empty());
}

TEST_CASE("AnOverloadTargetOfZeroShedsNothing") {
  QueueFixture f({.overload_target = Duration::zero(), .overload_window = milliseconds(10)}, {.max_batch_requests = 1});
  for (int i = 0; i < 100; ++i) f.Pushed({});
  for (int i = 1; i <= 100; ++i) {
    const TimePoint now = kStart + milliseconds(20 * i);
    f.queue.Finished(now + milliseconds(20), f.Next(now));
  }
  CHECK(f.queue.empty());
  CHECK(f.ended.empty());
}

// ---- several models

/// Serves `batches` batches, while each model of `served` always has work; adds the device time that each had.
void Saturate(QueueFixture& f, size_t workers, bool stage, int batches, TimePoint& now, const std::vector<Line>& lines,
              std::map<ModelId, double>& served, const std::function<size_t()>& next_length) {
  std::map<ModelId, size_t> waiting;
  const auto Refill = [&] {
    for (const auto& [model, time] : served) {
      for (; waiting[model] < 100; ++waiting[model]) f.Pushed({.length = next_length(), .model = model}, now);
    }
  };
  struct Worker {
    Batch running, next;
    TimePoint ends;
  };
  std::vector<Worker> all(workers);
  for (int i = 0; i < batches; ++i) {
    Refill();
    Worker& worker = *std::ranges::min_element(all, {}, &Worker::ends);
    now = std::max(now, worker.ends);
    if (!worker.running.requests.empty()) {
      f.queue.Finished(now, worker.running);
      served[worker.running.model] += static_cast<double>((now - worker.running.started).count());
    }
    if (worker.next.staged) {
      f.queue.Start(now, worker.next, f.ended);
      std::swap(worker.running, worker.next);
    } else {
      f.queue.NextBatch(now, worker.running, f.ended);
    }
    REQUIRE_FALSE(worker.running.requests.empty());
    waiting[worker.running.model] -= worker.running.requests.size();
    worker.ends = now + lines[worker.running.model](worker.running.stats.padded_tokens);
    if (stage) {
      Refill();
      f.queue.Stage(now, worker.next, f.ended);
    }
  }
  for (Worker& worker : all) f.queue.Finished(worker.ends, worker.running);
  now = std::ranges::max_element(all, {}, &Worker::ends)->ends;
}

/// 1 to 50, each as often as the others.
std::function<size_t()> EvenLengths() {
  return [turn = size_t{0}]() mutable { return 1 + turn++ * 7 % 50; };
}

const std::vector<Line> kTwoSpeeds = {{milliseconds(1), microseconds(20)}, {milliseconds(3), microseconds(35)}};

TEST_CASE("UnderSaturationEachModelGetsTimeInProportionToItsWeight") {
  for (const size_t workers : {1, 2, 3}) {
    for (const bool stage : {false, true}) {
      for (const bool known : {false, true}) {
        CAPTURE(workers, stage, known);
        QueueFixture f({.workers = workers}, {.max_batch_tokens = 300, .weight = 1},
                       known ? kTwoSpeeds[0].Table() : CostTable());
        const ModelId other =
            f.queue.AddModel({.max_batch_tokens = 300, .weight = 3}, known ? kTwoSpeeds[1].Table() : CostTable());
        TimePoint now = kStart;
        std::map<ModelId, double> served = {{0, 0.0}, {other, 0.0}};
        Saturate(f, workers, stage, 2000, now, kTwoSpeeds, served, EvenLengths());
        CHECK(served[other] / (served[0] + served[other]) == Approx(0.75).epsilon(0.05));
        CHECK(served[0] / (served[0] + served[other]) == Approx(0.25).epsilon(0.05));
      }
    }
  }
}

TEST_CASE("UnderSaturationRandomWeightsAreHonouredWithinFivePercentWhateverTheLengths") {
  double worst = 0;
  for (unsigned seed = 0; seed < (kSanitized ? 4 : 20); ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
    const size_t workers = pick(1, 3);
    const bool stage = pick(0, 1) == 1;
    QueueFixture f({.workers = workers}, {});
    f.queue.EraseModel(0);
    std::vector<Line> lines = {{}};
    std::vector<double> weights = {0};
    std::map<ModelId, double> served;
    for (size_t n = pick(2, 4); n > 0; --n) {
      lines.push_back({microseconds(pick(100, 3000)), microseconds(pick(1, 100))});
      weights.push_back(static_cast<double>(pick(5, 50)) / 10);
      const ModelLimits limits{.max_batch_requests = pick(1, 64),
                               .max_batch_tokens = pick(50, 500),
                               .pads = pick(0, 1) == 1,
                               .weight = weights.back()};
      served[f.queue.AddModel(limits, pick(0, 1) ? lines.back().Table() : CostTable())] = 0;
    }
    TimePoint now = kStart;
    Saturate(f, workers, stage, 4000, now, lines, served, [&] { return pick(0, 3) ? pick(1, 20) : pick(1, 200); });
    double time = 0, all = 0;
    for (const auto& [model, had] : served) {
      time += had;
      all += weights[model];
    }
    for (const auto& [model, had] : served) {
      const double ratio = had / time / (weights[model] / all);
      CAPTURE(model, ratio);
      CHECK(ratio == Approx(1).epsilon(0.05));
      worst = std::max(worst, std::abs(ratio - 1));
    }
  }
  WARN("at worst " << 100 * worst << "% off");
}

TEST_CASE("AnIdleModelsShareGoesToTheOthersAndIsNotSavedUp") {
  QueueFixture f({}, {.max_batch_tokens = 300}, kTwoSpeeds[0].Table());
  const ModelId other = f.queue.AddModel({.max_batch_tokens = 300}, kTwoSpeeds[0].Table());
  const std::vector<Line> lines = {kTwoSpeeds[0], kTwoSpeeds[0]};
  TimePoint now = kStart;
  std::map<ModelId, double> alone = {{0, 0.0}};
  Saturate(f, 1, false, 500, now, lines, alone, EvenLengths());
  CHECK(alone[0] >= 0.99 * static_cast<double>((now - kStart).count()));
  std::map<ModelId, double> both = {{0, 0.0}, {other, 0.0}};
  Saturate(f, 1, false, 40, now, lines, both, EvenLengths());
  CHECK(both[other] / (both[0] + both[other]) == Approx(0.5).epsilon(0.1));
}

TEST_CASE("AClosedModelTakesNoMoreAndKeepsWhatWaits") {
  QueueFixture f;
  const ModelId other = f.queue.AddModel({});
  Request* waiting = f.Pushed({.length = 3, .model = other});
  f.queue.CloseModel(other);
  CHECK(f.CodeOf({.model = other}) == absl::StatusCode::kUnavailable);
  CHECK(f.queue.size() == 1);
  CHECK(f.queue.Waits(other));
  CHECK_FALSE(f.queue.Waits(0));
  CHECK(f.NextRequests() == Requests{waiting});
  CHECK_FALSE(f.queue.Waits(other));
}

TEST_CASE("TheIdOfAnErasedModelIsNotGivenOutAgainAndTheOthersKeepTheirs") {
  QueueFixture f;
  const ModelId first = f.queue.AddModel({}), second = f.queue.AddModel({});
  f.queue.EraseModel(first);
  const ModelId third = f.queue.AddModel({});
  CHECK(third != first);
  CHECK(third != second);
  CHECK(f.CodeOf({.model = first}) == absl::StatusCode::kUnavailable);
  CHECK_FALSE(f.queue.Waits(first));
  f.Pushed({.model = second});
  f.Pushed({.model = third});
  CHECK(f.Next().model == second);
  CHECK(f.Next().model == third);
}

TEST_CASE("AModelMayGoWhileAStagedBatchOfItIsEmpty") {
  QueueFixture f;
  const ModelId other = f.queue.AddModel({});
  for (const bool next : {false, true}) {
    const ModelId gone = f.queue.AddModel({});
    Request* cancelled = f.Pushed({.model = gone});
    Batch batch;
    f.queue.Stage(kStart, batch, f.ended);
    REQUIRE(f.queue.Remove(*cancelled));
    REQUIRE_FALSE(f.queue.Waits(gone));
    f.queue.EraseModel(gone);
    Request* waiting = f.Pushed({.model = other});
    if (next) {
      CHECK(f.NextRequests() == Requests{waiting});
    } else {
      CHECK_FALSE(f.queue.Start(kStart, batch, f.ended));
      CHECK(batch.requests == Requests{waiting});
    }
  }
}

// ---- identical requests

/// The request and those that get its answer.
Requests Together(Request* leader) {
  Requests all = {leader};
  for (Request* twin = leader->twin(); twin; twin = twin->twin()) all.push_back(twin);
  std::ranges::sort(all);
  return all;
}

Requests Sorted(Requests requests) {
  std::ranges::sort(requests);
  return requests;
}

TEST_CASE("IdenticalRequestsAreComputedOnce") {
  QueueFixture f;
  Requests all;
  for (int i = 0; i < 4; ++i) all.push_back(f.Pushed({.length = 5, .text = 7}));
  Request* other = f.Pushed({.length = 5, .text = 8});
  CHECK(f.queue.size() == 5);
  CHECK(f.queue.tokens() == 10);
  const Batch batch = f.Next();
  REQUIRE(batch.requests.size() == 2);
  CHECK(batch.stats.tokens == 10);
  CHECK(Together(batch.requests[0]) == Sorted(all));
  CHECK(batch.requests[1] == other);
  CHECK(f.queue.empty());
}

TEST_CASE("IdenticalRequestsOfDifferentModelOrPriorityAreNot") {
  QueueFixture f;
  const ModelId other = f.queue.AddModel({});
  f.Pushed({.text = 7});
  f.Pushed({.priority = Priority::kHigh, .text = 7});
  f.Pushed({.model = other, .text = 7});
  CHECK(f.queue.unstaged() == 3);
  f.Pushed({.priority = Priority::kHigh, .text = 7});
  f.Pushed({.text = 7});
  CHECK(f.queue.unstaged() == 3);
  CHECK(f.queue.size() == 5);
}

TEST_CASE("WithoutShareIdenticalEachIsComputed") {
  QueueFixture f({.share_identical = false});
  for (int i = 0; i < 3; ++i) f.Pushed({.text = 7});
  CHECK(f.Next().requests.size() == 3);
}

TEST_CASE("ATwinKeepsItsOwnDeadline") {
  for (const bool urgent_first : {false, true}) {
    CAPTURE(urgent_first);
    QueueFixture f({}, {.max_batch_requests = 1});
    Request* a = f.Pushed({1, kStart + seconds(urgent_first ? 1 : 5), Priority::kNormal, 0, 7});
    Request* between = f.Pushed({1, kStart + seconds(3)});
    Request* b = f.Pushed({1, kStart + seconds(urgent_first ? 5 : 1), Priority::kNormal, 0, 7});
    Request *urgent = urgent_first ? a : b, *patient = urgent_first ? b : a;
    CHECK(f.queue.tokens() == 2);
    SECTION("it runs by the earliest") {
      CHECK(f.NextRequests() == Requests{urgent});
      CHECK(urgent->twin() == patient);
    }
    SECTION("each expires by its own") {
      CHECK(f.NextRequests(kStart + seconds(1)) == Requests{between});
      CHECK(f.EndedBy(Ending::kExpired) == Requests{urgent});
      CHECK(f.NextRequests(kStart + seconds(4)) == Requests{patient});
      CHECK(patient->twin() == nullptr);
    }
  }
}

TEST_CASE("ATwinOfAStagedRequestExpiresByItsOwnDeadline") {
  QueueFixture f;
  Request* leader = f.Pushed({1, kStart + seconds(5), Priority::kNormal, 0, 7});
  Batch batch;
  f.queue.Stage(kStart, batch, f.ended);
  Request* twin = f.Pushed({1, kStart + seconds(1), Priority::kNormal, 0, 7});
  f.queue.Start(kStart + seconds(2), batch, f.ended);
  CHECK(f.EndedBy(Ending::kExpired) == Requests{twin});
  CHECK(batch.requests == Requests{leader});
  CHECK(leader->twin() == nullptr);
}

TEST_CASE("WhenTheLeaderIsCancelledATwinRunsInItsPlace") {
  for (const bool staged : {false, true}) {
    CAPTURE(staged);
    QueueFixture f;
    Request* leader = f.Pushed({3, kStart + seconds(1), Priority::kNormal, 0, 7});
    Request* late = f.Pushed({3, kStart + seconds(3), Priority::kNormal, 0, 7});
    Request* soon = f.Pushed({3, kStart + seconds(2), Priority::kNormal, 0, 7});
    Batch batch;
    if (staged) f.queue.Stage(kStart, batch, f.ended);
    CHECK(f.queue.Remove(*leader));
    CHECK(f.queue.size() == 2);
    CHECK(f.queue.tokens() == 3);
    if (staged) {
      CHECK_FALSE(f.queue.Start(kStart, batch, f.ended));
    } else {
      batch = f.Next();
    }
    CHECK(batch.requests == Requests{soon});
    CHECK(soon->twin() == late);
    CHECK(late->twin() == nullptr);
    CHECK(leader->twin() == nullptr);
  }
}

TEST_CASE("ATwinIsCancelledAlone") {
  QueueFixture f;
  Request* leader = f.Pushed({.text = 7});
  Request* twin = f.Pushed({.text = 7});
  CHECK(f.queue.Remove(*twin));
  CHECK_FALSE(f.queue.Remove(*twin));
  CHECK(f.queue.size() == 1);
  CHECK(f.NextRequests() == Requests{leader});
  CHECK(leader->twin() == nullptr);
}

TEST_CASE("WhoComesWhileItsLikeRunsIsAnsweredWithIt") {
  QueueFixture f;
  Request* leader = f.Pushed({.text = 7});
  const Batch batch = f.Next();
  Request* twin = f.Pushed({.text = 7}, kStart + milliseconds(5));
  Request* cancelled = f.Pushed({.text = 7}, kStart + milliseconds(6));
  CHECK(f.queue.empty());  // nothing waits for a device
  CHECK(f.queue.tokens() == 0);
  CHECK(f.queue.Remove(*cancelled));
  f.queue.Finished(kStart + milliseconds(10), batch);
  CHECK(Together(leader) == Sorted({leader, twin}));
  CHECK_FALSE(f.queue.Remove(*twin));
  CHECK(twin->accepted == kStart + milliseconds(5));

  Request* later = f.Pushed({.text = 7}, kStart + milliseconds(11));  // the answer is out: computed anew
  CHECK(f.NextRequests(kStart + milliseconds(11)) == Requests{later});
}

TEST_CASE("WhoTakesItsTwinsPlaceKeepsWhatThatOneHasWaitedFor") {
  SECTION("its class") {
    QueueFixture f({.max_priority_delay = seconds(1)}, {.max_batch_requests = 1});
    f.Pushed({1, kStart + seconds(20), Priority::kBatch, 0, 7});
    const TimePoint now = kStart + seconds(3);
    for (int i = 0; i < 3; ++i) f.Pushed({1, now + seconds(20), Priority::kHigh}, now);
    Request* first = f.Pushed({1, kStart + seconds(15), Priority::kHigh}, now);
    REQUIRE(f.NextRequests(now) == Requests{first});  // whoever has waited long has moved up
    Request* twin = f.Pushed({1, kStart + seconds(19), Priority::kBatch, 0, 7}, now);
    CHECK(f.NextRequests(now) == Requests{twin});
  }
  SECTION("its skips") {
    QueueFixture f({.max_skips = 1}, {.max_batch_tokens = 10});
    f.Pushed({6, kStart + seconds(1)});
    f.Pushed({5, kStart + seconds(12), Priority::kNormal, 0, 7});
    f.Pushed({4, kStart + seconds(13)});
    CHECK(f.Next().requests.size() == 2);
    f.Pushed({6, kStart + seconds(1)});
    f.Pushed({5, kStart + seconds(11), Priority::kNormal, 0, 7});
    f.Pushed({4, kStart + seconds(13)});
    CHECK(f.Next().requests.size() == 1);
  }
}

// ---- staging

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

// ---- time

TEST_CASE("TimeNeverRunsBackwards") {
  QueueFixture f({}, {}, kTenMilliseconds.Table());
  Request* first = f.Pushed({1, kStart + seconds(1)});
  Request* second = f.Pushed({1, kStart + seconds(2)}, kStart - hours(1));
  CHECK(second->accepted == first->accepted);
  const Batch batch = f.Next(kStart - hours(2));
  CHECK(batch.requests == Requests{first, second});
  CHECK(batch.started == kStart);
  const std::string before = f.queue.costs(0).Save();
  for (int i = 0; i < 50; ++i) {
    f.queue.Finished(kStart - hours(3), i == 0 ? batch : f.Next(kStart - hours(3)));
    f.Pushed({1, kStart + seconds(1)});
  }
  CHECK(f.queue.costs(0).Save() == before);  // a run of negative length teaches nothing
  CHECK(f.CodeOf({1, kStart + milliseconds(5)}) == kExhausted);
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

// ---- options

TEST_CASE("ValidateNamesEachBadOption") {
  const QueueOptions good;
  CHECK(Validate(good).ok());
  CHECK(Validate(ModelLimits{}).ok());
  CHECK(Validate(ModelLimits{.max_batch_requests = 512}).ok());
  const struct {
    absl::string_view name;
    std::function<void(QueueOptions&)> spoil;
  } queue_cases[] = {
      {"max_requests", [](QueueOptions& o) { o.max_requests = 0; }},
      {"max_tokens", [](QueueOptions& o) { o.max_tokens = 0; }},
      {"default_deadline", [](QueueOptions& o) { o.default_deadline = Duration(0); }},
      {"default_deadline", [](QueueOptions& o) { o.default_deadline = Duration(-1); }},
      {"max_queue_delay", [](QueueOptions& o) { o.max_queue_delay = Duration(-1); }},
      {"max_priority_delay", [](QueueOptions& o) { o.max_priority_delay = Duration(0); }},
      {"overload_target", [](QueueOptions& o) { o.overload_target = Duration(-1); }},
      {"overload_window", [](QueueOptions& o) { o.overload_window = Duration(0); }},
      {"workers", [](QueueOptions& o) { o.workers = 0; }},
  };
  for (const auto& [name, spoil] : queue_cases) {
    QueueOptions bad;
    spoil(bad);
    const absl::Status status = Validate(bad);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(std::string(name)) == 0);
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const struct {
    absl::string_view name;
    ModelLimits limits;
  } limit_cases[] = {
      {"max_batch_requests", {.max_batch_requests = 0}},
      {"max_batch_requests is 513; the most is 512", {.max_batch_requests = 513}},
      {"max_batch_tokens", {.max_batch_tokens = 0}},
      {"weight", {.weight = 0}},
      {"weight", {.weight = -1}},
      {"weight", {.weight = nan}},
      {"weight", {.weight = 1e9}},
  };
  for (const auto& [name, limits] : limit_cases) {
    const absl::Status status = Validate(limits);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(std::string(name)) == 0);
  }
}

}  // namespace
}  // namespace bertha::batcher
