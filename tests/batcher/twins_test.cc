// Twins, and the overload detector: the two small parts of the queue that nothing else tests alone.
#include "batcher/twins.h"

#include <vector>

#include "batcher/overload.h"
#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::milliseconds;

std::vector<const Request*> ChainOf(const Request& leader) {
  std::vector<const Request*> chain;
  for (const Request* each = leader.twin(); each; each = each->twin()) chain.push_back(each);
  return chain;
}

TEST_CASE("TheLeaderOfIdenticalRequestsIsFoundAndOfOthersNot") {
  Twins twins;
  TestRequest leader(7, 5), same(7, 5), shorter(7, 4), other_text(8, 5), other_model(7, 5, nullptr, 1);
  TestRequest other_types(7, 5), other_priority(7, 5);
  other_types.type_ids[4] = 1;
  other_priority.request.priority = Priority::kHigh;
  CHECK(twins.Find(leader.request) == nullptr);
  CHECK(twins.FindOrLead(leader.request) == nullptr);
  CHECK(twins.Find(same.request) == &leader.request);
  CHECK(twins.FindOrLead(same.request) == &leader.request);
  for (TestRequest* other : {&shorter, &other_text, &other_model, &other_types, &other_priority}) {
    CHECK(twins.Find(other->request) == nullptr);
  }
}

TEST_CASE("ClosingALeaderKeepsItsTwinsAndAdmitsNoMore") {
  Twins twins;
  TestRequest leader(7, 5), twin(7, 5), later(7, 5);
  CHECK(twins.FindOrLead(leader.request) == nullptr);
  REQUIRE(twins.Find(twin.request) == &leader.request);
  Twins::Join(twin.request, leader.request);
  twins.Close(leader.request);
  CHECK(twins.Find(later.request) == nullptr);
  CHECK(ChainOf(leader.request) == std::vector<const Request*>{&twin.request});
}

TEST_CASE("ATwinThatLeavesBreaksNoChain") {
  for (int gone = 0; gone < 3; ++gone) {
    CAPTURE(gone);
    TestRequest leader(7, 5), a(7, 5), b(7, 5), c(7, 5);
    std::vector<TestRequest*> all = {&a, &b, &c};
    for (TestRequest* twin : all) Twins::Join(twin->request, leader.request);
    Twins::Leave(all[static_cast<size_t>(gone)]->request);
    const std::vector<const Request*> chain = ChainOf(leader.request);
    CHECK(chain.size() == 2);
    CHECK(std::ranges::find(chain, all[static_cast<size_t>(gone)]->get()) == chain.end());
    CHECK(all[static_cast<size_t>(gone)]->request.twin() == nullptr);
  }
}

TEST_CASE("WhoReplacesALeaderGetsItsTwins") {
  Twins twins;
  TestRequest leader(7, 5), a(7, 5), b(7, 5), c(7, 5), newcomer(7, 5), later(7, 5);
  CHECK(twins.FindOrLead(leader.request) == nullptr);
  for (TestRequest* twin : {&a, &b, &c}) Twins::Join(twin->request, leader.request);

  twins.Replace(leader.request, b.request);  // one of them
  CHECK(leader.request.twin() == nullptr);
  CHECK(ChainOf(b.request).size() == 2);
  CHECK(twins.Find(later.request) == &b.request);

  twins.Replace(b.request, newcomer.request);  // one that comes
  CHECK(b.request.twin() == nullptr);
  CHECK(ChainOf(newcomer.request).size() == 2);
  CHECK(twins.Find(later.request) == &newcomer.request);
  Twins::Leave(a.request);  // knows its new leader
  CHECK(ChainOf(newcomer.request) == std::vector<const Request*>{&c.request});
}

// ---- overload

/// Starts requests that waited `waited`, one each millisecond, from `from` until `to` (milliseconds).
void StartBetween(OverloadDetector& detector, int from, int to, Duration waited) {
  for (int at = from; at < to; ++at) detector.Started(waited, kStart + milliseconds(at));
}

TEST_CASE("OnlyAWholeWindowAboveTheTargetIsAnOverload") {
  OverloadDetector detector(milliseconds(10), milliseconds(100));
  CHECK_FALSE(detector.Overloaded(kStart));
  StartBetween(detector, 0, 99, milliseconds(11));
  CHECK_FALSE(detector.Overloaded(kStart + milliseconds(99)));
  CHECK(detector.Overloaded(kStart + milliseconds(100)));
}

TEST_CASE("OneRequestThatWaitedLittleShowsThatTheQueueDrains") {
  OverloadDetector detector(milliseconds(10), milliseconds(100));
  CHECK_FALSE(detector.Overloaded(kStart));
  StartBetween(detector, 0, 50, milliseconds(500));
  detector.Started(milliseconds(10), kStart + milliseconds(50));
  StartBetween(detector, 51, 100, milliseconds(500));
  CHECK_FALSE(detector.Overloaded(kStart + milliseconds(100)));
}

TEST_CASE("AnOverloadEndsAfterAWindowBelowTheTarget") {
  OverloadDetector detector(milliseconds(10), milliseconds(100));
  CHECK_FALSE(detector.Overloaded(kStart));
  StartBetween(detector, 0, 100, milliseconds(50));
  REQUIRE(detector.Overloaded(kStart + milliseconds(100)));
  StartBetween(detector, 101, 200, milliseconds(1));
  CHECK(detector.Overloaded(kStart + milliseconds(199)));
  CHECK_FALSE(detector.Overloaded(kStart + milliseconds(200)));
}

TEST_CASE("AWindowInWhichNothingWasStartedChangesNothing") {
  OverloadDetector detector(milliseconds(10), milliseconds(100));
  CHECK_FALSE(detector.Overloaded(kStart));
  StartBetween(detector, 0, 100, milliseconds(50));
  CHECK(detector.Overloaded(kStart + milliseconds(100)));
  CHECK(detector.Overloaded(kStart + milliseconds(300)));
}

TEST_CASE("ATargetOfZeroIsNeverExceeded") {
  OverloadDetector detector(Duration::zero(), milliseconds(100));
  StartBetween(detector, 0, 1000, milliseconds(5000));
  CHECK_FALSE(detector.Overloaded(kStart + milliseconds(1000)));
}

}  // namespace
}  // namespace bertha::batcher
