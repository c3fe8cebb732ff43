// The numbers of a run, and whether they can be trusted. Pure.
//
// Every call that was planned after the warm-up counts. One that failed or was not finished has no latency that could
// be averaged away: in `all` it counts as slower than every answer, so that a quantile that falls among them is unset
// ("more than 1% of the calls were not answered: there is no p99").
#ifndef BERTHA_BENCH_LOAD_SUMMARY_H_
#define BERTHA_BENCH_LOAD_SUMMARY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/histogram.h"
#include "bench/load/objective.h"
#include "bench/load/plan.h"
#include "bench/load/record.h"

namespace bertha::load {

/// Milliseconds. Each is a value that was measured: that of rank ceil(q * count).
struct Quantiles {
  std::optional<double> p50, p90, p95, p99, p999, max;
  std::optional<double> mean;  ///< of those that have a latency
  size_t count = 0;
};

/// A part of the run, of its warm-up too; all are of the same length, and there are at most a few hundred.
struct TimelinePoint {
  double at_s = 0;                               ///< its begin, after the begin of the run
  size_t planned = 0, answered = 0, failed = 0;  ///< calls that were planned then
  std::optional<double> p50_ms, p99_ms;          ///< of these
};

struct Summary {
  bool closed = false;
  size_t in_flight = 0;
  double seconds = 0;  ///< that count
  size_t calls = 0;    ///< that count
  /// Of the calls that count: not answered within the objective's latency. 0 without one.
  size_t over = 0;
  /// Of these: not even if the time before they were sent, and the 99th percentile of the send lag again (for the way
  /// back), are taken off. A program that was late at times cannot be why there are so many.
  size_t surely_over = 0;
  double planned_per_s = 0;             ///< by the schedule; 0 in a closed loop
  double offered_per_s = 0;             ///< as really sent
  double answered_per_s = 0;            ///< throughput
  double goodput_per_s = 0;             ///< answered within the deadline, or the objective; without either, throughput
  std::map<std::string, size_t> codes;  ///< "OK", "RESOURCE_EXHAUSTED", ..., and "UNFINISHED"
  Quantiles all, answered;
  Histogram histogram;  ///< of the latencies of what was answered
  Quantiles send_lag;
  double client_cores = 0;  ///< processor time by wall time
  double cores_per_channel = 0;
  /// The server's own figures; unset if no reply told them.
  std::optional<Quantiles> tokenize, queue, compute, server_total;  ///< milliseconds
  std::optional<double> mean_batch;        ///< requests; a mean over batches, not over requests
  std::optional<ServerMeans> means;        ///< as Record::means
  std::map<uint32_t, size_t> batch_sizes;  ///< requests computed in a batch of so many
  std::vector<TimelinePoint> timeline;
  /// Why these figures are not the server's; empty: valid. Each a sentence for a person.
  std::vector<std::string> invalid;
};

/// `objective`: sharpens what may be lost to this program, and is what goodput means without a deadline.
Summary Summarize(const Plan& plan, const Record& record, const std::optional<Objective>& objective);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_SUMMARY_H_
