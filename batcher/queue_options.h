// What can be set of the queue.
#ifndef BERTHA_BATCHER_QUEUE_OPTIONS_H_
#define BERTHA_BATCHER_QUEUE_OPTIONS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "batcher/batch_former.h"
#include "batcher/clock.h"

namespace bertha::batcher {

struct QueueOptions {
  /// Requests that may wait at once, those being tokenized included. Too small: bursts are refused that could have been
  /// served in time. Too large: under overload everybody waits `max_requests / throughput` seconds.
  size_t max_requests = 4096;
  /// Tokens that may wait at once: bounds the time and the memory that waiting work stands for.
  size_t max_tokens = 1 << 20;
  /// Deadline of a request that has none, from its arrival. Also how long such a request can be overtaken.
  Duration default_deadline = std::chrono::seconds(30);
  /// How long a batch that is not full may wait for more, from the arrival of its oldest request. Above zero: fuller
  /// batches, and that much latency on an idle server.
  Duration max_queue_delay{0};
  /// How long a request competes in its own priority before it moves up one.
  Duration max_priority_delay = std::chrono::seconds(2);
  /// How many batches may pass a request over because it did not fit.
  size_t max_skips = 8;
  /// Smallest queueing delay that counts as a standing queue, and for how long it must stand. Zero: nothing is shed.
  Duration overload_target = std::chrono::seconds(5);
  Duration overload_window = std::chrono::seconds(1);
  /// Whether what cannot end in time is refused at once, instead of expiring while it waits.
  bool admission = true;
  /// Whether identical requests in flight are computed once.
  bool share_identical = true;
  /// Batches that run side by side.
  size_t workers = 1;
};

/// INVALID_ARGUMENT names the option that is out of range.
absl::Status Validate(const QueueOptions& options);
absl::Status Validate(const ModelLimits& limits);

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_QUEUE_OPTIONS_H_
