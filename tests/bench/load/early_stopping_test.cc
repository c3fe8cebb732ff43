#include "bench/load/early_stopping.h"

#include <string>

#include "absl/time/time.h"
#include "bench/load/objective.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

struct Case {
  size_t calls, over;
  double quantile;
  Shown shown;
};

// scipy.stats.binom (1.17): kMeets if cdf(over) <= 0.01, kFails if sf(over - 1) <= 0.01, with a rate of 1 - quantile.
constexpr Case kScipy[] = {
    {43, 13, 0.5, Shown::kMeets},        {44, 13, 0.5, Shown::kMeets},         {44, 14, 0.5, Shown::kUndecided},
    {44, 31, 0.5, Shown::kFails},        {44, 32, 0.5, Shown::kFails},         {100, 37, 0.5, Shown::kMeets},
    {459, 204, 0.5, Shown::kMeets},      {1000, 462, 0.5, Shown::kMeets},      {4603, 2222, 0.5, Shown::kMeets},
    {20000, 9835, 0.5, Shown::kMeets},   {43, 9, 0.9, Shown::kUndecided},      {43, 10, 0.9, Shown::kFails},
    {43, 11, 0.9, Shown::kFails},        {100, 3, 0.9, Shown::kMeets},         {458, 30, 0.9, Shown::kMeets},
    {459, 31, 0.9, Shown::kMeets},       {459, 32, 0.9, Shown::kUndecided},    {459, 45, 0.9, Shown::kUndecided},
    {459, 61, 0.9, Shown::kUndecided},   {4602, 412, 0.9, Shown::kMeets},      {4602, 509, 0.9, Shown::kFails},
    {4603, 414, 0.9, Shown::kUndecided}, {10, 0, 0.95, Shown::kUndecided},     {10, 3, 0.95, Shown::kUndecided},
    {10, 5, 0.95, Shown::kFails},        {100, 1, 0.95, Shown::kUndecided},    {100, 13, 0.95, Shown::kFails},
    {458, 12, 0.95, Shown::kMeets},      {458, 35, 0.95, Shown::kFails},       {458, 36, 0.95, Shown::kFails},
    {459, 22, 0.95, Shown::kUndecided},  {1000, 34, 0.95, Shown::kMeets},      {4602, 267, 0.95, Shown::kFails},
    {4603, 195, 0.95, Shown::kMeets},    {4603, 230, 0.95, Shown::kUndecided}, {4603, 267, 0.95, Shown::kFails},
    {20000, 928, 0.95, Shown::kMeets},   {10, 2, 0.99, Shown::kFails},         {44, 0, 0.99, Shown::kUndecided},
    {44, 4, 0.99, Shown::kFails},        {100, 0, 0.99, Shown::kUndecided},    {100, 5, 0.99, Shown::kFails},
    {458, 0, 0.99, Shown::kUndecided},   {458, 11, 0.99, Shown::kFails},       {459, 4, 0.99, Shown::kUndecided},
    {459, 11, 0.99, Shown::kFails},      {1000, 2, 0.99, Shown::kMeets},       {1000, 19, 0.99, Shown::kFails},
    {4602, 30, 0.99, Shown::kMeets},     {4603, 46, 0.99, Shown::kUndecided},  {20000, 200, 0.99, Shown::kUndecided},
    {43, 0, 0.999, Shown::kUndecided},   {44, 1, 0.999, Shown::kUndecided},    {458, 0, 0.999, Shown::kUndecided},
    {1000, 0, 0.999, Shown::kUndecided}, {1000, 4, 0.999, Shown::kUndecided},  {1000, 6, 0.999, Shown::kFails},
    {4602, 4, 0.999, Shown::kUndecided}, {4603, 0, 0.999, Shown::kMeets},      {4603, 10, 0.999, Shown::kUndecided},
};

TEST_CASE("early stopping decides as the binomial distribution of scipy does", "[load][early_stopping]") {
  for (const Case& test : kScipy) {
    CAPTURE(test.calls, test.over, test.quantile);
    CHECK(EarlyStopping(test.calls, test.over, test.quantile) == test.shown);
  }
}

struct Need {
  size_t over;
  double quantile;
  size_t calls;
};

// By trying one number after the other with scipy.stats.binom.cdf.
constexpr Need kNeeds[] = {
    {0, 0.5, 7},      {1, 0.5, 11},     {10, 0.5, 35},      {100, 0.5, 237},      {0, 0.9, 44},     {1, 0.9, 64},
    {10, 0.9, 197},   {100, 0.9, 1246}, {0, 0.99, 459},     {1, 0.99, 662},       {10, 0.99, 2010}, {100, 0.99, 12571},
    {0, 0.999, 4603}, {1, 0.999, 6636}, {10, 0.999, 20140}, {100, 0.999, 125826},
};

TEST_CASE("p99 needs 459 calls within the latency, p90 needs 44, and more for each that is not",
          "[load][early_stopping]") {
  for (const Need& need : kNeeds) {
    CAPTURE(need.over, need.quantile);
    CHECK(CallsNeeded(need.over, need.quantile) == need.calls);
    CHECK(EarlyStopping(need.calls, need.over, need.quantile) == Shown::kMeets);
    CHECK(EarlyStopping(need.calls - 1, need.over, need.quantile) != Shown::kMeets);
  }
  CHECK(CallsNeeded(0, 0.9, 0.9) == 22);
}

TEST_CASE("no calls show nothing, and calls that are all over never meet", "[load][early_stopping]") {
  CHECK(EarlyStopping(0, 0, 0.99) == Shown::kUndecided);
  CHECK(EarlyStopping(1, 1, 0.5) == Shown::kUndecided);
  CHECK(EarlyStopping(1, 1, 0.995) == Shown::kFails);
  for (const size_t calls : {7, 50, 5000}) CHECK(EarlyStopping(calls, calls, 0.5) == Shown::kFails);
}

TEST_CASE("objectives are read and written", "[load][objective]") {
  const auto p99 = ParseObjective("p99=50ms");
  REQUIRE(p99.ok());
  CHECK(p99->quantile == Approx(0.99));
  CHECK(p99->latency == std::chrono::milliseconds(50));
  CHECK(ParseObjective("p99.9=1.5s")->quantile == Approx(0.999));
  CHECK(ParseObjective("p99.9=1.5s")->latency == std::chrono::milliseconds(1500));
  CHECK(ParseObjective("p50=800us")->latency == std::chrono::microseconds(800));
  for (const char* text : {"p99=50ms", "p99.9=1.5s", "p50=800us"}) {
    CHECK(Describe(*ParseObjective(text)) == text);
  }
  for (const char* wrong : {"", "p99", "99=50ms", "p99=50", "p0=1ms", "p100=1ms", "p-5=1ms", "p99=0ms", "p99=-1ms",
                            "p99=inf", "p99=2h", "pnan=1ms", "p99=50ms,p50=2ms"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ParseObjective(wrong).ok());
  }
}

}  // namespace
}  // namespace bertha::load
