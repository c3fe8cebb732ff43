#include "batcher/batch_queue.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint(std::chrono::hours(1));

struct Fixture {
  explicit Fixture(QueueOptions options = {}, ModelLimits limits = {}) : queue(options) { queue.AddModel(limits); }

  Request* New(size_t length, TimePoint deadline = TimePoint::max(), ModelId model = 0) {
    requests.push_back(std::make_unique<TestRequest>(1, length, nullptr, model));
    requests.back()->request.deadline = deadline;
    return requests.back()->get();
  }
  absl::Status Push(const std::vector<Request*>& call, TimePoint now = kStart) {
    if (absl::Status status = queue.Reserve(call.size()); !status.ok()) return status;
    return queue.Push(call, now);
  }
  Batch Next(TimePoint now = kStart) {
    Batch batch;
    queue.NextBatch(now, batch);
    return batch;
  }

  BatchQueue queue;
  std::vector<std::unique_ptr<TestRequest>> requests;
};

TEST_CASE("AnEmptyQueueHasNoBatch") {
  Fixture f;
  CHECK(f.Next().requests.empty());
  CHECK(f.Next().expired.empty());
}

TEST_CASE("EarlierDeadlinesGoFirstThenArrival") {
  Fixture f;
  Request* late = f.New(1, kStart + seconds(3));
  Request* soon = f.New(1, kStart + seconds(1));
  Request* tie_a = f.New(1, kStart + seconds(2));
  Request* tie_b = f.New(1, kStart + seconds(2));
  REQUIRE(f.Push({late, soon, tie_a, tie_b}).ok());
  CHECK(f.Next().requests == std::vector<Request*>{soon, tie_a, tie_b, late});
}

TEST_CASE("ARequestWithoutDeadlineCannotBeOvertakenAfterItsDefaultDeadline") {
  Fixture f({.default_deadline = seconds(5)}, {.max_batch_requests = 1});
  Request* patient = f.New(1);
  REQUIRE(f.Push({patient}, kStart).ok());
  CHECK(patient->deadline == kStart + seconds(5));
  Request* later = f.New(1, kStart + seconds(6));
  REQUIRE(f.Push({later}, kStart + seconds(1)).ok());
  CHECK(f.Next(kStart + seconds(2)).requests == std::vector<Request*>{patient});
}

TEST_CASE("ABatchStopsAtTheRequestBound") {
  Fixture f({}, {.max_batch_requests = 2});
  REQUIRE(f.Push({f.New(1), f.New(1), f.New(1)}).ok());
  CHECK(f.Next().stats.size == 2);
  CHECK(f.Next().stats.size == 1);
}

TEST_CASE("ABatchStopsBeforeTheTokenBudget") {
  Fixture f({}, {.max_batch_tokens = 10});
  REQUIRE(f.Push({f.New(4), f.New(6), f.New(1)}).ok());
  Batch batch = f.Next();
  CHECK(batch.stats.size == 2);
  CHECK(batch.stats.tokens == 10);
  CHECK(batch.stats.padded_tokens == 10);
  CHECK(f.Next().stats.tokens == 1);
}

TEST_CASE("AnEngineThatPadsIsChargedForPadding") {
  Fixture f({}, {.max_batch_tokens = 12, .pads = true});
  REQUIRE(f.Push({f.New(2), f.New(6), f.New(1)}).ok());
  Batch batch = f.Next();
  CHECK(batch.stats.size == 2);
  CHECK(batch.stats.tokens == 8);
  CHECK(batch.stats.padded_tokens == 12);
}

TEST_CASE("ATextAboveTheBudgetStillRunsAlone") {
  Fixture f({}, {.max_batch_tokens = 4});
  REQUIRE(f.Push({f.New(9), f.New(1)}).ok());
  CHECK(f.Next().stats.tokens == 9);
  CHECK(f.Next().stats.tokens == 1);
}

TEST_CASE("ABatchHoldsOneModelThatOfTheMostUrgentRequest") {
  Fixture f;
  const ModelId other = f.queue.AddModel({});
  Request* a = f.New(1, kStart + seconds(2), 0);
  Request* b = f.New(1, kStart + seconds(1), other);
  Request* c = f.New(1, kStart + seconds(3), other);
  REQUIRE(f.Push({a, b, c}).ok());
  Batch batch = f.Next();
  CHECK(batch.model == other);
  CHECK(batch.requests == std::vector<Request*>{b, c});
  CHECK(f.Next().requests == std::vector<Request*>{a});
}

TEST_CASE("ExpiredRequestsAreHandedBackAndNeverStart") {
  Fixture f;
  Request* expired = f.New(3, kStart + milliseconds(10));
  Request* alive = f.New(1, kStart + milliseconds(30));
  REQUIRE(f.Push({expired, alive}).ok());
  Batch batch = f.Next(kStart + milliseconds(10));
  CHECK(batch.expired == std::vector<Request*>{expired});
  CHECK(batch.requests == std::vector<Request*>{alive});
  CHECK(f.queue.empty());
  CHECK(f.queue.tokens() == 0);
}

TEST_CASE("APassedDeadlineIsNotAccepted") {
  Fixture f;
  CHECK(f.Push({f.New(1, kStart)}).code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(f.queue.empty());
}

TEST_CASE("TheQueueIsBoundedInRequestsReservedOnesIncluded") {
  Fixture f({.max_requests = 3});
  REQUIRE(f.queue.Reserve(2).ok());
  REQUIRE(f.Push({f.New(1)}).ok());
  CHECK(f.queue.Reserve(1).code() == absl::StatusCode::kResourceExhausted);
  f.queue.Unreserve(2);
  CHECK(f.Push({f.New(1), f.New(1)}).ok());
  CHECK(f.Push({f.New(1)}).code() == absl::StatusCode::kResourceExhausted);
  f.Next();
  CHECK(f.Push({f.New(1)}).ok());
}

TEST_CASE("TheQueueIsBoundedInTokensAndACallIsAcceptedWholeOrNotAtAll") {
  Fixture f({.max_tokens = 10});
  REQUIRE(f.Push({f.New(4)}).ok());
  CHECK(f.Push({f.New(4), f.New(4)}).code() == absl::StatusCode::kResourceExhausted);
  CHECK(f.queue.size() == 1);
  CHECK(f.queue.tokens() == 4);
  CHECK(f.Push({f.New(6)}).ok());
  CHECK(f.queue.Reserve(1).code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("ACallThatCanNeverFitIsTheCallersMistake") {
  Fixture f({.max_requests = 2, .max_tokens = 10});
  CHECK(f.queue.Reserve(3).code() == absl::StatusCode::kInvalidArgument);
  CHECK(f.Push({f.New(6), f.New(6)}).code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("ARemovedRequestFreesItsPlaceAtOnce") {
  Fixture f({.max_requests = 1});
  Request* request = f.New(5);
  REQUIRE(f.Push({request}).ok());
  CHECK(f.queue.Remove(*request));
  CHECK_FALSE(f.queue.Remove(*request));
  CHECK(f.queue.tokens() == 0);
  CHECK(f.Push({f.New(1)}).ok());
}

TEST_CASE("AClosedModelTakesNoMoreAndKeepsWhatWaits") {
  Fixture f;
  const ModelId other = f.queue.AddModel({});
  Request* waiting = f.New(3, TimePoint::max(), other);
  REQUIRE(f.Push({waiting}).ok());
  f.queue.CloseModel(other);
  CHECK(f.Push({f.New(1), f.New(1, TimePoint::max(), other)}).code() == absl::StatusCode::kUnavailable);
  CHECK(f.queue.size() == 1);
  CHECK(f.queue.Waits(other));
  CHECK_FALSE(f.queue.Waits(0));
  CHECK(f.Next().requests == std::vector<Request*>{waiting});
  CHECK_FALSE(f.queue.Waits(other));
}

TEST_CASE("TheIdOfAnErasedModelIsNotGivenOutAgainAndTheOthersKeepTheirs") {
  Fixture f;
  const ModelId first = f.queue.AddModel({}), second = f.queue.AddModel({});
  f.queue.EraseModel(first);
  const ModelId third = f.queue.AddModel({});
  CHECK(third != first);
  CHECK(third != second);
  CHECK(f.Push({f.New(1, TimePoint::max(), first)}).code() == absl::StatusCode::kUnavailable);
  REQUIRE(f.Push({f.New(1, TimePoint::max(), second)}).ok());
  REQUIRE(f.Push({f.New(1, TimePoint::max(), third)}).ok());
  CHECK(f.Next().model == second);
  CHECK(f.Next().model == third);
}

TEST_CASE("OverRandomSchedulesEveryRequestLeavesExactlyOnceAndNoBoundBreaks") {
  for (unsigned seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
    const QueueOptions options{
        .max_requests = pick(1, 20), .max_tokens = pick(20, 200), .default_deadline = milliseconds(pick(1, 50))};
    const ModelLimits limits{.max_batch_requests = pick(1, 6), .max_batch_tokens = pick(10, 40), .pads = seed % 2 == 0};
    Fixture f(options, limits);
    f.queue.AddModel(limits);
    TimePoint now = kStart;
    std::vector<Request*> waiting;  // in the order of arrival: what a seed does must not depend on addresses
    size_t waiting_tokens = 0;
    auto leave = [&](Request* request) {
      REQUIRE(std::erase(waiting, request) == 1);
      waiting_tokens -= request->ids.size();
    };
    for (int step = 0; step < 200; ++step) {
      switch (pick(0, 3)) {
        case 0: {
          std::vector<Request*> call;
          for (size_t i = pick(1, 4); i > 0; --i) {
            const TimePoint deadline = pick(0, 1) ? TimePoint::max() : now + milliseconds(pick(1, 40));
            call.push_back(f.New(pick(1, 10), deadline, pick(0, 1)));
          }
          if (f.Push(call, now).ok()) {
            for (Request* request : call) {
              waiting.push_back(request);
              waiting_tokens += request->ids.size();
            }
          }
          break;
        }
        case 1: {
          Batch batch = f.Next(now);
          const Request* previous = nullptr;
          for (Request* request : batch.expired) {
            CHECK(request->deadline <= now);
            leave(request);
          }
          for (Request* request : batch.requests) {
            CHECK(request->deadline > now);
            CHECK(request->model == batch.model);
            if (previous) CHECK(previous->deadline <= request->deadline);
            previous = request;
            leave(request);
          }
          CHECK(batch.requests.size() <= limits.max_batch_requests);
          CHECK(batch.stats.padded_tokens <= limits.max_batch_tokens);
          for (const Request* request : waiting) {  // earliest deadline first, over all models
            if (previous) CHECK(request->deadline >= batch.requests.front()->deadline);
          }
          break;
        }
        case 2:
          if (!waiting.empty()) {
            Request* request = waiting[pick(0, waiting.size() - 1)];
            CHECK(f.queue.Remove(*request));
            leave(request);
          }
          break;
        default:
          now += milliseconds(pick(0, 10));
      }
      REQUIRE(f.queue.size() == waiting.size());
      REQUIRE(f.queue.tokens() == waiting_tokens);
      CHECK(f.queue.size() <= options.max_requests);
      CHECK(f.queue.tokens() <= options.max_tokens);
    }
  }
}

}  // namespace
}  // namespace bertha::batcher
