// A latency that calls shall keep: "p99=50ms".
#ifndef BERTHA_BENCH_LOAD_OBJECTIVE_H_
#define BERTHA_BENCH_LOAD_OBJECTIVE_H_

#include <string>

#include "absl/status/statusor.h"
#include "batcher/clock.h"

namespace bertha::load {

struct Objective {
  /// Above 0 and below 1: the share of calls that must be within `latency`.
  double quantile = 0.99;
  batcher::Duration latency{};
};

/// "p99=50ms", "p99.9=1.5s", "p50=800us".
absl::StatusOr<Objective> ParseObjective(const std::string& text);
/// As ParseObjective reads it.
std::string Describe(const Objective& objective);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_OBJECTIVE_H_
