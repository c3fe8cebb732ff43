// What the contract in batch_queue.h says of a full queue, and whose requests make room for whose.
#include "batcher/batch_queue.h"

#include <algorithm>
#include <vector>

#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Requests = std::vector<Request*>;

constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;

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

// ---- several models

/// A model that floods the queue, and another one.
struct TwoModels : QueueFixture {
  explicit TwoModels(const QueueOptions& options, double weight = 1)
      : QueueFixture(options), other(queue.AddModel({.weight = weight})) {}

  /// Pushes as many requests of the first model as are accepted; each is less urgent than the one before.
  Requests Flood(size_t length = 1, Priority priority = Priority::kNormal) {
    Requests all;
    while (true) {
      Request* request = New({length, kStart + seconds(1) + milliseconds(all.size()), priority});
      if (!Push({request}).ok()) return all;
      all.push_back(request);
    }
  }
  /// How many requests of the other model are accepted, one after the other.
  size_t Others(size_t length = 1, Priority priority = Priority::kNormal) {
    size_t accepted = 0;
    while (CodeOf({.length = length, .priority = priority, .model = other}) == absl::StatusCode::kOk) ++accepted;
    return accepted;
  }
  Requests Call(size_t n) {
    Requests call;
    for (size_t i = 0; i < n; ++i) call.push_back(New({.model = other}));
    return call;
  }

  const ModelId other;
};

/// The last `n`, from the end.
Requests Last(const Requests& all, size_t n) { return {all.rbegin(), all.rbegin() + static_cast<ptrdiff_t>(n)}; }

TEST_CASE("AModelWithinItsShareIsNeverRefusedForBeingFullAndOthersUseWhatItLeaves") {
  TwoModels f({.max_requests = 10});
  const Requests flood = f.Flood();
  CHECK(flood.size() == 10);
  CHECK(f.Others() == 5);
  CHECK(f.EndedBy(Ending::kEvicted) == Last(flood, 5));
  CHECK(f.Flood().empty());  // nor does it take them back
  CHECK(f.ended.size() == 5);
  CHECK(f.queue.size() == 10);
  for (Batch batch = f.Next(); !batch.requests.empty(); batch = f.Next()) {
  }
  CHECK(f.Flood().size() == 10);
}

TEST_CASE("TheShareOfTheQueueIsByWeightInRequestsAndInTokens") {
  for (const double weight : {0.25, 1.0, 3.0, 9.0}) {
    CAPTURE(weight);
    const auto share = static_cast<size_t>(40 * weight / (1 + weight));
    TwoModels requests({.max_requests = 40}, weight);
    CHECK(requests.Flood().size() == 40);
    CHECK(requests.Others() == share);
    TwoModels tokens({.max_tokens = 200}, weight);
    CHECK(tokens.Flood(5).size() == 40);
    CHECK(tokens.Others(5) == share);
  }
}

TEST_CASE("OfRequestsAndTokensTheLargerPartCounts") {
  TwoModels f({.max_requests = 20, .max_tokens = 200});
  // Few long ones against many short ones: either model gets more than half of what it needs most.
  CHECK(f.Flood(20).size() == 10);
  CHECK(f.Others(1) == 13);
  CHECK(f.ended.size() == 3);
  CHECK(f.queue.tokens() == 7 * 20 + 13);
}

TEST_CASE("TheModelThatHoldsMostForItsWeightMakesRoom") {
  TwoModels f({.max_requests = 12});
  const ModelId heavy = f.queue.AddModel({.weight = 4}), fourth = f.queue.AddModel({});
  for (int i = 0; i < 3; ++i) f.Pushed({1, kStart + seconds(9), Priority::kBatch});
  for (int i = 0; i < 4; ++i) f.Pushed({1, kStart + seconds(1), Priority::kHigh, f.other});
  for (int i = 0; i < 5; ++i) f.Pushed({1, kStart + seconds(9), Priority::kBatch, heavy});
  f.Pushed({.model = fourth});
  REQUIRE(f.ended.size() == 1);
  CHECK(f.ended[0].request->model == f.other);  // 3, 4 and 5/4: neither the most requests nor the lowest priority
}

TEST_CASE("OfTheModelThatMakesRoomTheLowestPriorityGoesFirstThenTheLeastUrgent") {
  TwoModels f({.max_requests = 6});
  Requests order;
  for (const Priority priority : {Priority::kBatch, Priority::kNormal, Priority::kHigh}) {
    for (const int deadline : {9, 2}) order.push_back(f.Pushed({1, kStart + seconds(deadline), priority}));
  }
  CHECK(f.Others(1, Priority::kBatch) == 3);  // the share comes before the priority
  CHECK(f.EndedBy(Ending::kEvicted) == Requests(order.begin(), order.begin() + 3));
}

TEST_CASE("AHigherPriorityGetsNoPlaceOfAModelThatHoldsLess") {
  TwoModels f({.max_requests = 10});
  for (int i = 0; i < 4; ++i) f.Pushed({.priority = Priority::kBatch, .model = f.other});
  f.Pushed({.priority = Priority::kNormal});
  CHECK(f.Flood(1, Priority::kHigh).size() == 6);  // the last one in place of its own model's
  CHECK(f.ended.size() == 1);
  CHECK(f.ended[0].request->model == 0);
}

TEST_CASE("ACallGetsAllThePlacesOfItsShareOrNobodyIsEvicted") {
  TwoModels f({.max_requests = 10});
  const Requests flood = f.Flood();
  CHECK(f.Push(f.Call(6)).code() == kExhausted);
  CHECK(f.ended.empty());
  CHECK(f.Push(f.Call(5)).ok());
  CHECK(f.EndedBy(Ending::kEvicted) == Last(flood, 5));

  TwoModels g({.max_requests = 10});
  REQUIRE(g.Push(g.Call(3)).ok());
  CHECK(g.Flood().size() == 7);
  CHECK(g.Push(g.Call(3)).code() == kExhausted);  // two could come
  CHECK(g.ended.empty());
}

TEST_CASE("ACallsTokensGetAllThePlacesOfItsShareOrNobodyIsEvicted") {
  TwoModels f({.max_tokens = 20});
  const Requests flood = f.Flood(2);
  f.ended.clear();
  REQUIRE(f.queue.Reserve(f.other, 1, Priority::kNormal, f.ended).ok());  // for a token at least
  CHECK(f.EndedBy(Ending::kEvicted) == Last(flood, 1));
  Request* request = f.New({.length = 11, .model = f.other});
  CHECK(f.queue.Push({&request, 1}, kStart, f.ended).code() == kExhausted);
  CHECK(f.ended.size() == 1);
  CHECK(f.CodeOf({.length = 10, .model = f.other}) == absl::StatusCode::kOk);
  CHECK(f.EndedBy(Ending::kEvicted) == Last(flood, 5));
}

TEST_CASE("ReservedPlacesCountAndYieldLikeThoseThatWait") {
  TwoModels f({.max_requests = 10});
  const auto reserve = [&](ModelId id, size_t n) { return f.queue.Reserve(id, n, Priority::kNormal, f.ended).code(); };
  const auto push = [&](const Requests& call) { return f.queue.Push(call, kStart, f.ended).code(); };
  Requests first, second;
  for (int i = 0; i < 5; ++i) {
    first.push_back(f.New({}));
    second.push_back(f.New({}));
  }
  REQUIRE(reserve(0, 5) == absl::StatusCode::kOk);
  REQUIRE(reserve(0, 5) == absl::StatusCode::kOk);
  CHECK(reserve(f.other, 6) == kExhausted);
  CHECK(reserve(f.other, 2) == absl::StatusCode::kOk);
  CHECK(reserve(f.other, 3) == absl::StatusCode::kOk);
  CHECK(reserve(f.other, 1) == kExhausted);
  CHECK(push(first) == kExhausted);  // its places are the other model's now
  CHECK(push(second) == absl::StatusCode::kOk);
  CHECK(push(f.Call(3)) == absl::StatusCode::kOk);
  f.queue.Unreserve(f.other, 2);
  CHECK(f.queue.size() == 8);
  CHECK(reserve(0, 3) == kExhausted);
  CHECK(reserve(0, 2) == absl::StatusCode::kOk);
  CHECK(f.ended.empty());
}

TEST_CASE("WhatWaitsMakesRoomBeforeWhatIsReserved") {
  TwoModels f({.max_requests = 4});
  REQUIRE(f.queue.Reserve(0, 2, Priority::kNormal, f.ended).ok());
  const Requests flood = f.Flood();
  REQUIRE(flood.size() == 2);
  CHECK(f.Others() == 2);
  CHECK(f.EndedBy(Ending::kEvicted) == Last(flood, 2));
  CHECK(f.queue.Push(Requests{f.New({}), f.New({})}, kStart, f.ended).ok());
}

TEST_CASE("IdenticalRequestsMakeRoomTheOneThatIsComputedLast") {
  TwoModels f({.max_requests = 4, .max_tokens = 20});
  Request* leader = f.Pushed({.length = 10, .text = 7});
  Requests twins;
  for (int i = 0; i < 3; ++i) twins.push_back(f.Pushed({.length = 10, .text = 7}));
  CHECK(f.queue.tokens() == 10);
  CHECK(f.Others() == 2);
  Requests evicted = f.EndedBy(Ending::kEvicted);
  CHECK(evicted.size() == 2);
  CHECK(std::ranges::find(evicted, leader) == evicted.end());
  CHECK(f.queue.tokens() == 12);
  const ModelId third = f.queue.AddModel({.weight = 100});
  CHECK(f.CodeOf({.length = 16, .model = third}) == absl::StatusCode::kOk);
  evicted = f.EndedBy(Ending::kEvicted);
  CHECK(evicted.size() == 4);
  CHECK(evicted[3] == leader);  // its tokens are free when all of them are gone
  CHECK(f.queue.tokens() == 18);
}

TEST_CASE("WhatIsStagedStaysAndTheSharesAreOfTheRest") {
  QueueFixture f({.max_requests = 10}, {.max_batch_requests = 4});
  const ModelId other = f.queue.AddModel({});
  Requests flood;
  for (int i = 0; i < 4; ++i) flood.push_back(f.Pushed({1, kStart + seconds(1 + i)}));
  Batch batch;
  f.queue.Stage(kStart, batch, f.ended);
  REQUIRE(batch.requests == flood);
  const auto accepted = [&](ModelId id) {
    size_t n = 0;
    while (f.CodeOf({1, kStart + seconds(9), Priority::kNormal, id}) == absl::StatusCode::kOk) ++n;
    return n;
  };
  CHECK(accepted(0) == 6);
  CHECK(accepted(other) == 5);
  CHECK(f.queue.Start(kStart, batch, f.ended));
  CHECK(batch.requests == flood);

  QueueFixture g({.max_requests = 4});
  const ModelId late = g.queue.AddModel({});
  for (int i = 0; i < 4; ++i) g.Pushed({});
  g.queue.Stage(kStart, batch, g.ended);
  CHECK(g.CodeOf({.model = late}) == kExhausted);
  CHECK(g.queue.Start(kStart, batch, g.ended));
  CHECK(g.ended.empty());
}

TEST_CASE("WhatWaitsOfAClosedModelStaysAndTheSharesAreOfTheRest") {
  TwoModels f({.max_requests = 10});
  const ModelId third = f.queue.AddModel({});
  REQUIRE(f.queue.Reserve(0, 6, Priority::kNormal, f.ended).ok());
  CHECK(f.Flood().size() == 4);
  f.queue.CloseModel(0);
  CHECK(f.Others() == 6);  // the reserved ones are free
  CHECK(f.ended.empty());
  for (int i = 0; i < 3; ++i) f.Pushed({.model = third});
  CHECK(f.CodeOf({.model = third}) == kExhausted);
  CHECK(f.ended.size() == 3);
  CHECK(std::ranges::all_of(f.ended, [&](const Ended& each) { return each.request->model == f.other; }));
}

TEST_CASE("AModelThatIsTakenAwayLeavesItsPlaces") {
  TwoModels f({.max_requests = 4});
  REQUIRE(f.queue.Reserve(0, 3, Priority::kNormal, f.ended).ok());
  f.queue.CloseModel(0);
  CHECK(f.queue.Reserve(0, 1, Priority::kNormal, f.ended).code() == absl::StatusCode::kUnavailable);
  f.queue.EraseModel(0);
  CHECK(f.queue.Reserve(0, 1, Priority::kNormal, f.ended).code() == absl::StatusCode::kUnavailable);
  CHECK(f.queue.Reserve(f.other, 4, Priority::kNormal, f.ended).ok());
  f.queue.Unreserve(0, 3);  // by who held them: they are gone already
  CHECK(f.queue.Reserve(f.other, 1, Priority::kNormal, f.ended).code() == kExhausted);
  f.queue.Unreserve(f.other, 4);
  CHECK(f.Others() == 4);
}

}  // namespace
}  // namespace bertha::batcher
