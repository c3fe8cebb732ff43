// Whether the figures of a run are the server's, or those of the program that measured it.
#ifndef BERTHA_BENCH_LOAD_VALIDITY_H_
#define BERTHA_BENCH_LOAD_VALIDITY_H_

#include <optional>
#include <string>
#include <vector>

#include "bench/load/objective.h"
#include "bench/load/summary.h"

namespace bertha::load {

/// The 99th percentile of the send lag of an open loop may be this, and 5% of the objective's latency.
inline constexpr double kMostSendLagMs = 1;
inline constexpr double kMostSendLagOfObjective = 0.05;
/// Processor time by wall time and channel: each channel has a thread, and one that is nearly busy is late.
inline constexpr double kMostCoresPerChannel = 0.7;
/// How far the rate at which an open loop really sent may be from the planned one.
inline constexpr double kMostRateError = 0.01;

/// What speaks against the figures of `summary`, each a sentence for a person. Looks at everything but
/// Summary::invalid.
std::vector<std::string> WhyInvalid(const Summary& summary, const std::optional<Objective>& objective);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_VALIDITY_H_
