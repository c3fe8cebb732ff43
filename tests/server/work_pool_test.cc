#include "server/work_pool.h"

#include <atomic>

#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

TEST_CASE("TheQueueBeforeThePoolIsBounded") {
  batcher::Gate gate;
  std::atomic<int> ran = 0;
  {
    WorkPool pool(1, 2);
    REQUIRE(pool.TryRun([&] { gate.Pass(); }));
    gate.AwaitArrivals(1);
    CHECK(pool.TryRun([&] { ++ran; }));
    CHECK(pool.TryRun([&] { ++ran; }));
    CHECK_FALSE(pool.TryRun([&] { ++ran; }));
    gate.Open();
  }
  CHECK(ran == 2);  // the destructor runs what was accepted
}

}  // namespace
}  // namespace bertha::server
