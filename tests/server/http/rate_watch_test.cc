#include "server/http/rate_watch.h"

#include "tests/catch.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWindow{10'000};
batcher::TimePoint At(int ms) { return batcher::TimePoint(milliseconds(ms)); }

TEST_CASE("EveryWindowMustCarryItsShare") {
  RateWatch watch;
  CHECK_FALSE(watch.TooSlow(At(1'000'000), kWindow, 100));
  watch.Start(At(0));
  watch.Add(1000);
  CHECK_FALSE(watch.TooSlow(At(9'999), kWindow, 100));
  CHECK_FALSE(watch.TooSlow(At(10'000), kWindow, 100));  // 1000 bytes in 10 s
  watch.Add(999);
  CHECK_FALSE(watch.TooSlow(At(19'999), kWindow, 100));
  CHECK(watch.TooSlow(At(20'000), kWindow, 100));
  watch.Stop();
  CHECK_FALSE(watch.TooSlow(At(40'000), kWindow, 100));
}

TEST_CASE("HavingBeenFastOnceIsNoExcuse") {
  RateWatch watch;
  watch.Start(At(0));
  watch.Add(1 << 20);
  CHECK_FALSE(watch.TooSlow(At(10'000), kWindow, 100));
  CHECK(watch.TooSlow(At(20'000), kWindow, 100));
}

TEST_CASE("WithoutARateSomethingMustComeAllTheSame") {
  RateWatch watch;
  watch.Start(At(0));
  watch.Add(1);
  CHECK_FALSE(watch.TooSlow(At(10'000), kWindow, 0));
  CHECK(watch.TooSlow(At(20'000), kWindow, 0));
}

}  // namespace
}  // namespace bertha::server
