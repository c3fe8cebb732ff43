#include "bench/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bertha::load {
namespace {

constexpr uint64_t kHalf = 1024;
constexpr uint64_t kSubBuckets = 2 * kHalf;  // what three digits need: the least power of two above 2 * 10^3
constexpr int kSubBits = static_cast<int>(std::bit_width(kSubBuckets)) - 1;

size_t IndexOf(uint64_t us) {
  if (us < kSubBuckets) return us;
  const int shift = std::bit_width(us) - kSubBits;
  return static_cast<uint64_t>(shift) * kHalf + (us >> shift);
}

Histogram::Bucket BucketAt(size_t index, uint64_t count) {
  if (index < kSubBuckets) return {index, index, count};
  const uint64_t shift = index / kHalf - 1;
  const uint64_t lowest = (index - shift * kHalf) << shift;
  return {lowest, lowest + (uint64_t{1} << shift) - 1, count};
}

double Middle(const Histogram::Bucket& bucket) {
  const uint64_t half = (bucket.highest - bucket.lowest + 1) / 2;  // in whole microseconds, as HdrHistogram has it
  return static_cast<double>(bucket.lowest + half);
}

/// The percentiles of an `.hgrm` file: five to halfway from 0 to 100, five to halfway from there, and so on.
class Levels {
 public:
  double percent() const { return percent_; }
  void Advance() {
    constexpr double kTicks = 5;
    const double halves = std::floor(std::log2(100 / (100 - percent_))) + 1;
    percent_ += 100 / (kTicks * std::exp2(halves));
  }

 private:
  double percent_ = 0;
};

}  // namespace

void Histogram::Add(uint64_t us, uint64_t count) {
  const size_t index = IndexOf(std::min(us, kMost));
  if (counts_.size() <= index) counts_.resize(index + 1);
  counts_[index] += count;
  total_ += count;
}

void Histogram::Merge(const Histogram& other) {
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
}

std::optional<uint64_t> Histogram::Quantile(double q) const {
  if (total_ == 0) return std::nullopt;
  const double rank = std::clamp(std::ceil(q * static_cast<double>(total_) - 1e-9), 1.0, static_cast<double>(total_));
  uint64_t seen = 0;
  size_t index = 0;
  while (static_cast<double>(seen += counts_[index]) < rank) ++index;
  return BucketAt(index, 0).highest;
}

void Histogram::ForEach(const std::function<void(const Bucket&)>& visit) const {
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] > 0) visit(BucketAt(i, counts_[i]));
  }
}

std::string Histogram::Hgrm() const {
  std::string out = absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  const auto total = static_cast<double>(total_);
  double sum = 0, squares = 0;
  uint64_t seen = 0, most = 0;
  Levels levels;
  ForEach([&](const Bucket& bucket) {
    seen += bucket.count;
    most = bucket.highest;
    const double value = Middle(bucket) / 1e3, count = static_cast<double>(bucket.count);
    sum += count * value;
    squares += count * value * value;
    const double reached = 100 * static_cast<double>(seen) / total;
    for (; levels.percent() <= reached && levels.percent() < 100; levels.Advance()) {
      const double share = levels.percent() / 100;
      absl::StrAppendFormat(&out, "%12.3f %2.12f %10d %14.2f\n", static_cast<double>(bucket.highest) / 1e3, share, seen,
                            1 / (1 - share));
      if (seen == total_) break;
    }
  });
  if (total_ > 0) absl::StrAppendFormat(&out, "%12.3f %2.12f %10d\n", static_cast<double>(most) / 1e3, 1.0, seen);
  const double mean = total_ > 0 ? sum / total : 0;
  const double deviation = total_ > 0 ? std::sqrt(std::max(0.0, squares / total - mean * mean)) : 0;
  absl::StrAppendFormat(&out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean, deviation);
  absl::StrAppendFormat(&out, "#[Max     = %12.3f, Total count    = %12d]\n", static_cast<double>(most) / 1e3, total_);
  const int doublings = std::bit_width(kMost) - kSubBits + 1;
  absl::StrAppendFormat(&out, "#[Buckets = %12d, SubBuckets     = %12d]\n", doublings, kSubBuckets);
  return out;
}

}  // namespace bertha::load
