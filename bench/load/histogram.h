// A histogram of times in microseconds that keeps three significant digits over its whole range, from 1 µs to an hour:
// "HdrHistogram" (High Dynamic Range), Gil Tene. Values below 2048 µs have a bucket each; above, each doubling of the
// value is divided into 1024 buckets, so that a bucket is at most 0.1% wide.
//
// Thread-compatible. Invariant: total() is the sum over all buckets.
#ifndef BERTHA_BENCH_LOAD_HISTOGRAM_H_
#define BERTHA_BENCH_LOAD_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bertha::load {

class Histogram {
 public:
  /// An hour. What takes longer counts as an hour.
  static constexpr uint64_t kMost = uint64_t{3600} * 1'000'000;

  struct Bucket {
    uint64_t lowest = 0, highest = 0;  ///< µs, both inclusive
    uint64_t count = 0;
  };

  void Add(uint64_t us, uint64_t count = 1);
  /// Adds all of `other`.
  void Merge(const Histogram& other);

  uint64_t total() const { return total_; }
  /// The highest value of the bucket in which the value of rank ceil(q * total) lies; nothing if there are no values.
  std::optional<uint64_t> Quantile(double q) const;
  /// Calls `visit` for each bucket that is not empty, from the lowest values on.
  void ForEach(const std::function<void(const Bucket&)>& visit) const;

  /// The percentile distribution as HdrHistogram writes it (`.hgrm`, five steps for each half of the distance to 100%),
  /// in milliseconds.
  std::string Hgrm() const;

 private:
  std::vector<uint64_t> counts_;  // as long as the highest value needs
  uint64_t total_ = 0;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_HISTOGRAM_H_
