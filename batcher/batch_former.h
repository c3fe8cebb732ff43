// Which of the waiting requests make the best batch?
//
// The goodput of a batch is the work of its requests that end by their deadlines, divided by the time it takes (after
// Shen et al., "Nexus", SOSP 2019, and Gujarati et al., "Serving DNNs like Clockwork", OSDI 2020, who count requests:
// but a short one that is padded to the length of a long one counts as much there, and costs more than it brings). The
// most urgent request is always in it; the others follow in the queue's order, up to where one more would cost more
// than it brings. An engine that pads computes every sequence as long as the longest, so there batches of only the
// shorter ones are weighed too.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_BATCH_FORMER_H_
#define BERTHA_BATCHER_BATCH_FORMER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "batcher/clock.h"
#include "batcher/cost_table.h"

namespace bertha::batcher {

/// So many requests are looked at to form a batch, which bounds the time that takes; none can have more.
inline constexpr size_t kMostBatchRequests = 512;

struct ModelLimits {
  /// Requests in one batch, up to kMostBatchRequests.
  size_t max_batch_requests = 64;
  /// Tokens in one batch as the engine computes them, padding included. Bounds the time that one batch can take, and
  /// with it how long an urgent request waits for the device.
  size_t max_batch_tokens = 8192;
  /// True if the engine pads to the longest sequence of the batch.
  bool pads = false;
  /// Share of the device against other models when all have work, e.g. 2 gets twice the time of 1; more than 0.
  double weight = 1;
};

/// A request as the former sees it.
struct Candidate {
  size_t tokens = 0;
  TimePoint deadline;
  /// Its share of a good batch's time.
  Duration work{0};
  /// Must not be passed over by a later one any more.
  bool firm = false;
};

class BatchFormer {
 public:
  /// What was chosen; a view into the former, valid until the next call.
  struct Choice {
    /// Indices of the chosen candidates, ascending; the first is 0.
    std::span<const size_t> members;
    /// Tokens without padding, and as the engine computes them.
    size_t tokens = 0, computed_tokens = 0;
    /// What it will take; zero if nothing is known.
    Duration cost{0};
    /// Whether a limit or a deadline kept others out, rather than that there were no more.
    bool full = false;
  };

  /// How many of the waiting requests are worth looking at.
  static size_t Window(const ModelLimits& limits);

  /// Chooses from `candidates`, in the queue's order, of which there is at least one.
  ///   - Within the limits; the first candidate alone is always within them.
  ///   - A candidate is passed over only if it does not fit the token budget, or, where padding is computed, if its
  ///     slack is longer than the batch takes: what is left until its deadline, less its own time and the work of those
  ///     passed over before it. One that is firm never is.
  Choice Choose(std::span<const Candidate> candidates, const ModelLimits& limits, const CostTable& costs,
                TimePoint now);

 private:
  struct Trial {
    size_t count = 0;  // members: the first so many of those tried
    size_t tokens = 0, longest = 0;
    Duration cost{0};
    double goodput = -1;
    bool full = false;
  };

  Trial Try(std::span<const Candidate> candidates, size_t longest_allowed, const ModelLimits& limits,
            const CostTable& costs, TimePoint now);

  std::vector<size_t> tried_, best_;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_BATCH_FORMER_H_
