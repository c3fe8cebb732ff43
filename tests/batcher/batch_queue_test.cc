// Each sentence of the contract in batch_queue.h, by name. Admission, bounds, models, staging and twins have files of
// their own: queue_*_test.cc.
#include "batcher/batch_queue.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
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

TEST_CASE("AnEmptyQueueHasNoBatch") {
  QueueFixture f;
  const Batch batch = f.Next();
  CHECK(batch.requests.empty());
  CHECK(batch.wait_until == TimePoint::max());
  CHECK(f.ended.empty());
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

// ---- priorities

TEST_CASE("HigherPrioritiesGoFirstWhateverTheDeadlines") {
  QueueFixture f;
  Request* batch = f.Pushed({1, kStart + seconds(1), Priority::kBatch});
  Request* normal = f.Pushed({1, kStart + seconds(2), Priority::kNormal});
  Request* high = f.Pushed({1, kStart + seconds(3), Priority::kHigh});
  CHECK(f.NextRequests() == Requests{high, normal, batch});
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
