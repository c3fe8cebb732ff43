// What became of a model's calls since it was loaded: for ModelStatistics and for metrics.
//
// Thread-safety: thread-safe, without locks. Each number is exact; those of one Read may be some calls apart.
#ifndef BERTHA_SERVER_MODEL_COUNTERS_H_
#define BERTHA_SERVER_MODEL_COUNTERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "batcher/clock.h"

namespace bertha::server {

/// Where the time of a call that succeeded went. A call's inputs may be computed in several forward passes: `queue` and
/// `infer` are those of the input that ended last, which is what the caller waited for.
struct CallTimes {
  /// From the call's arrival to its response.
  batcher::Duration total{};
  /// Of all its inputs.
  batcher::Duration tokenize{};
  /// From the queue's acceptance to the forward pass.
  batcher::Duration queue{};
  batcher::Duration infer{};
  /// From the end of the forward pass to the response: what turned numbers into an answer, and waiting for that.
  batcher::Duration output{};
};

class ModelCounters {
 public:
  /// The sums so far.
  struct Totals {
    /// Calls that succeeded, their inputs, and their times.
    uint64_t succeeded = 0;
    uint64_t inputs = 0;
    CallTimes times;
    /// When the last one ended; TimePoint(): there was none.
    batcher::TimePoint last_success;
    /// Calls that found the model and ended otherwise, and how long they took.
    uint64_t failed = 0;
    batcher::Duration failed_time{};
    /// Forward passes that computed something for a call.
    uint64_t passes = 0;
  };

  void AddSuccess(size_t inputs, const CallTimes& times, batcher::TimePoint now);
  void AddFailure(batcher::Duration total);
  /// A request was computed by the pass that ended at `finished`. The dispatcher tells of all requests of a pass one
  /// after the other, on one thread, so that passes can be told apart by that.
  void AddComputed(batcher::TimePoint finished);

  Totals Read() const;

 private:
  using Count = std::atomic<int64_t>;

  Count succeeded_ = 0, inputs_ = 0, last_success_ = 0, failed_ = 0, failed_ns_ = 0, passes_ = 0, last_pass_ = 0;
  Count total_ns_ = 0, tokenize_ns_ = 0, queue_ns_ = 0, infer_ns_ = 0, output_ns_ = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_COUNTERS_H_
