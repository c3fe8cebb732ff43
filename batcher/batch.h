// What runs together: chosen by the queue, run by its caller.
#ifndef BERTHA_BATCHER_BATCH_H_
#define BERTHA_BATCHER_BATCH_H_

#include <cstddef>
#include <vector>

#include "batcher/clock.h"
#include "batcher/request.h"

namespace bertha::batcher {

/// Reused: keeps its capacity.
struct Batch {
  ModelId model = 0;
  /// In the order of their outputs. Each may have twins, which get the same answer.
  std::vector<Request*> requests;
  BatchStats stats;
  /// What it is expected to take; zero if nothing is known.
  Duration cost{0};
  /// If there are no requests though some wait: when to ask again.
  TimePoint wait_until = TimePoint::max();

  /// For the queue.
  TimePoint started;
  Duration work{0};
  size_t longest = 0;
  bool full = false, staged = false, changed = false;

  void Clear() {
    requests.clear();
    stats = BatchStats{};
    cost = work = Duration{0};
    longest = 0;
    wait_until = TimePoint::max();
    full = staged = changed = false;
  }
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_BATCH_H_
