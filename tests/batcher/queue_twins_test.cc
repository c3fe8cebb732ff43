// What the contract in batch_queue.h says of identical requests.
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

/// The request and those that get its answer.
Requests Together(Request* leader) {
  Requests all = {leader};
  for (Request* twin = leader->twin(); twin; twin = twin->twin()) all.push_back(twin);
  std::ranges::sort(all);
  return all;
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

}  // namespace
}  // namespace bertha::batcher
