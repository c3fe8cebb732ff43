// Time of forward passes, and what many of them say.
#ifndef BERTHA_BENCH_ENCODER_TIMING_H_
#define BERTHA_BENCH_ENCODER_TIMING_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "bench/encoder/shapes.h"

namespace bertha::bench {

/// In milliseconds on the wall.
struct PassTime {
  double stage = 0, run = 0;

  double total() const { return stage + run; }
};

/// One pass of `batch` in slot 0.
absl::StatusOr<PassTime> TimePass(batcher::Encoder& encoder, const Batch& batch);

/// Passes one after the other for about so long, at least one. The first does not count if there is time for others: it
/// meets the caches, and the still spinning threads, of whoever ran before.
absl::StatusOr<std::vector<PassTime>> TimePasses(batcher::Encoder& encoder, const Batch& batch, double seconds);

/// The same for anything else; milliseconds.
std::vector<double> TimeCalls(const std::function<void()>& call, double seconds);

/// Of times in milliseconds. Quantiles are values that were measured, not interpolated: of less than 100 values p99 is
/// the largest.
struct Summary {
  size_t count = 0;
  double min = 0, p10 = 0, median = 0, p90 = 0, p99 = 0;
};

Summary Summarize(std::vector<double> values);
double Median(std::vector<double> values);

std::vector<double> Totals(const std::vector<PassTime>& passes);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_TIMING_H_
