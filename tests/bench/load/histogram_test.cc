#include "bench/load/histogram.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "bench/load/random.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

/// Values over the whole range, as many of each magnitude.
std::vector<uint64_t> AnyValues(size_t count, uint64_t seed) {
  Random random(seed, Random::Stream::kWords);
  std::vector<uint64_t> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<uint64_t>(std::exp(random.Uniform() * std::log(double{Histogram::kMost}))));
  }
  return values;
}

Histogram Of(const std::vector<uint64_t>& values) {
  Histogram histogram;
  for (const uint64_t value : values) histogram.Add(value);
  return histogram;
}

std::vector<std::vector<uint64_t>> BucketsOf(const Histogram& histogram) {
  std::vector<std::vector<uint64_t>> buckets;
  histogram.ForEach([&](const Histogram::Bucket& bucket) {
    buckets.push_back({bucket.lowest, bucket.highest, bucket.count});
  });
  return buckets;
}

TEST_CASE("each value is in a bucket that is at most a thousandth wide", "[load][histogram]") {
  std::vector<uint64_t> values = AnyValues(5000, 1);
  for (uint64_t power = 1; power <= Histogram::kMost; power *= 2) {
    for (const uint64_t value : {power - 1, power, power + 1}) values.push_back(value);
  }
  values.push_back(Histogram::kMost);
  bool inside = true, narrow = true;
  for (const uint64_t value : values) {
    const auto bucket = BucketsOf(Of({value})).at(0);
    inside &= bucket[0] <= value && value <= bucket[1];
    narrow &=
        static_cast<double>(bucket[1] - bucket[0]) <= 0.001 * static_cast<double>(std::max(bucket[0], uint64_t{1}));
  }
  CHECK(inside);
  CHECK(narrow);
}

TEST_CASE("buckets follow each other without gap or overlap", "[load][histogram]") {
  Histogram histogram;
  for (uint64_t value = 0; value < 20000; ++value) histogram.Add(value);
  uint64_t next = 0;
  bool joined = true;
  for (const auto& bucket : BucketsOf(histogram)) {
    joined &= bucket[0] == next && bucket[2] <= bucket[1] - bucket[0] + 1;
    next = bucket[1] + 1;
  }
  CHECK(joined);
  CHECK(next >= 20000);
}

TEST_CASE("quantiles are within a thousandth of the exact ones", "[load][histogram]") {
  std::vector<uint64_t> values = AnyValues(30011, 2);
  const Histogram histogram = Of(values);
  std::ranges::sort(values);
  for (const double q : {0.0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0}) {
    CAPTURE(q);
    const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(q * 30011)));
    const auto exact = static_cast<double>(values[rank - 1]);
    CHECK(static_cast<double>(*histogram.Quantile(q)) == Approx(exact).epsilon(0.001));
  }
  CHECK_FALSE(Histogram().Quantile(0.5).has_value());
}

TEST_CASE("a merged histogram is that of all values", "[load][histogram]") {
  const std::vector<uint64_t> few = {0, 5, 70'000}, many = AnyValues(5000, 3);
  std::vector<uint64_t> all = few;
  all.insert(all.end(), many.begin(), many.end());
  for (const bool swapped : {false, true}) {
    Histogram merged = Of(swapped ? many : few);
    merged.Merge(Of(swapped ? few : many));
    CHECK(merged.total() == all.size());
    CHECK(BucketsOf(merged) == BucketsOf(Of(all)));
  }
}

TEST_CASE("what takes longer than an hour counts as an hour", "[load][histogram]") {
  const Histogram histogram = Of({Histogram::kMost * 5});
  CHECK(static_cast<double>(*histogram.Quantile(1)) == Approx(double{Histogram::kMost}).epsilon(0.001));
}

// The steps and the form of org.HdrHistogram's outputPercentileDistribution(out, 5, 1000.0).
constexpr char kHgrm[] = R"(       Value     Percentile TotalCount 1/(1-Percentile)

       0.100 0.000000000000          1           1.00
       0.900 0.100000000000          3           1.11
       2.501 0.200000000000          5           1.25
       4.903 0.300000000000          7           1.43
      10.007 0.400000000000         10           1.67
      14.407 0.500000000000         12           2.00
      16.911 0.550000000000         13           2.22
      19.615 0.600000000000         14           2.50
      22.511 0.650000000000         15           2.86
      28.911 0.700000000000         17           3.33
      32.415 0.750000000000         18           4.00
      32.415 0.775000000000         18           4.44
      36.127 0.800000000000         19           5.00
      36.127 0.825000000000         19           5.71
      40.031 0.850000000000         20           6.67
    5001.215 0.875000000000         23           8.00
    5001.215 1.000000000000         23
#[Mean    =      664.547, StdDeviation   =     1678.832]
#[Max     =     5001.215, Total count    =           23]
#[Buckets =           22, SubBuckets     =         2048]
)";

TEST_CASE("percentiles are written as HdrHistogram writes them", "[load][histogram]") {
  Histogram histogram;
  for (uint64_t i = 1; i <= 20; ++i) histogram.Add(100 * i * i);
  histogram.Add(5'000'000, 3);
  CHECK(histogram.Hgrm() == kHgrm);
  CHECK(absl::StrContains(Histogram().Hgrm(), "Total count    =            0"));
}

}  // namespace
}  // namespace bertha::load
