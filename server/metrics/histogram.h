// Counts how often values fell where; for durations in seconds, sizes, tokens.
//
// Thread-safety: Observe from any thread, without locks; a Read beside it may miss what is being observed.
#ifndef BERTHA_SERVER_METRICS_HISTOGRAM_H_
#define BERTHA_SERVER_METRICS_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bertha::server {

class Histogram {
 public:
  static constexpr size_t kMostBounds = 20;

  /// `bounds`: upper bounds of the buckets, ascending, at most kMostBounds, beyond the last of which there is one more;
  /// they outlive the histogram.
  explicit constexpr Histogram(std::span<const double> bounds) : bounds_(bounds) {}

  void Observe(double value) {
    const auto bucket = static_cast<size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  struct Values {
    /// [bounds + 1] values at or below each bound and above the one before; the last: above all.
    std::vector<uint64_t> counts;
    double sum = 0;
  };
  Values Read() const {
    Values values;
    for (size_t i = 0; i <= bounds_.size(); ++i) values.counts.push_back(counts_[i].load(std::memory_order_relaxed));
    values.sum = sum_.load(std::memory_order_relaxed);
    return values;
  }
  std::span<const double> bounds() const { return bounds_; }

 private:
  const std::span<const double> bounds_;
  std::array<std::atomic<uint64_t>, kMostBounds + 1> counts_{};
  std::atomic<double> sum_ = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METRICS_HISTOGRAM_H_
