// When a run has shown enough: the rule of MLPerf's LoadGen ("MLPerf Inference Benchmark", Reddi et al., ISCA 2020).
//
// If a share of less than q of all calls were within the latency, how likely is it that as few as `over` of `calls`
// were over it? At most P[Binomial(calls, 1 - q) <= over]. If that is less than 1 - confidence, the calls have shown
// that at least a share of q keeps the latency. The calls are taken to be independent; near its capacity a server's are
// not, which is why a capacity is searched with runs that are much longer than a queue takes to empty.
//
// Pure functions.
#ifndef BERTHA_BENCH_LOAD_EARLY_STOPPING_H_
#define BERTHA_BENCH_LOAD_EARLY_STOPPING_H_

#include <cstddef>

namespace bertha::load {

enum class Shown {
  kUndecided,  ///< more calls are needed
  kMeets,      ///< at least a share of q is within the latency
  kFails,      ///< a smaller share is
};

inline constexpr double kConfidence = 0.99;

/// `over`: how many of `calls` were over the latency, failed or were not finished; at most `calls`. 0 < quantile < 1.
Shown EarlyStopping(size_t calls, size_t over, double quantile, double confidence = kConfidence);

/// The least number of calls that shows kMeets when `over` of them are over.
size_t CallsNeeded(size_t over, double quantile, double confidence = kConfidence);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_EARLY_STOPPING_H_
