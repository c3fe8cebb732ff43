#include "server/rate_limiter.h"

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::TimePoint;

constexpr TimePoint kStart{std::chrono::hours(1)};

TEST_CASE("NoRateIsNoLimit") {
  RateLimiter limiter({});
  for (int i = 0; i < 1000; ++i) CHECK(limiter.Acquire("a", kStart) == Duration::zero());
}

TEST_CASE("WhoWaitsAsLongAsToldIsLetInAndNotAMomentEarlier") {
  std::mt19937 random(7);
  RateLimiter limiter({.per_second = 30, .burst = 5});
  TimePoint now = kStart;
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    now += std::chrono::microseconds(random() % 40'000);
    const Duration wait = limiter.Acquire("a", now);
    if (wait == Duration::zero()) continue;
    ++refused;
    CHECK(limiter.Acquire("a", now + wait - Duration(1)) == Duration(1));
    now += wait;
    CHECK(limiter.Acquire("a", now) == Duration::zero());
  }
  CHECK(refused > 100);
}

/// Against the definition: a bucket of `burst` tokens that gets `rate` per second.
TEST_CASE("ItIsATokenBucket") {
  std::mt19937 random(8);
  for (const double rate : {1.0, 8.0, 1000.0}) {
    for (const double burst : {1.0, 3.0, 100.0}) {
      RateLimiter limiter({.per_second = rate, .burst = burst});
      double tokens = burst;
      TimePoint now = kStart;
      for (int i = 0; i < 2000; ++i) {
        const Duration step(static_cast<int64_t>(1e9 / rate) * static_cast<int64_t>(random() % 9) / 4);
        now += step;
        tokens = std::min(burst, tokens + static_cast<double>(step.count()) * rate / 1e9);
        if (std::abs(tokens - 1) < 1e-6) tokens = 1;  // the limiter computes in integers
        const bool expected = tokens >= 1;
        REQUIRE((limiter.Acquire("a", now) == Duration::zero()) == expected);
        if (expected) tokens -= 1;
      }
    }
  }
}

TEST_CASE("ClientsDoNotShareABucket") {
  RateLimiter limiter({.per_second = 1, .burst = 1});
  for (int i = 0; i < 1000; ++i) CHECK(limiter.Acquire(absl::StrCat(i), kStart) == Duration::zero());
  for (int i = 0; i < 1000; ++i) CHECK(limiter.Acquire(absl::StrCat(i), kStart) > Duration::zero());
}

TEST_CASE("AFloodOfNewClientsNeitherGrowsTheTableNorLetsABusyOneOffForLong") {
  RateLimiter limiter({.per_second = 1, .burst = 10, .max_clients = 512});
  for (int i = 0; i < 10; ++i) CHECK(limiter.Acquire("busy", kStart) == Duration::zero());
  // Newcomers take the places of those whose bucket is fuller; the busy one's is empty.
  for (int i = 0; i < 100'000; ++i) CHECK(limiter.Acquire(absl::StrCat(i), kStart) == Duration::zero());
  CHECK(limiter.Acquire("busy", kStart) > Duration::zero());
}

}  // namespace
}  // namespace bertha::server
