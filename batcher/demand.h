// Can everything that waits still be done by its deadline, if one more is added?
//
// The processor demand criterion for earliest-deadline-first scheduling (Baruah, Rosier, Howell, "Algorithms and
// Complexity Concerning the Preemptive Scheduling of Periodic, Real-Time Tasks on One Processor", 1990): jobs are
// feasible if for every instant t the work with deadlines up to t fits into the time up to t. Deadlines are rounded
// down to an eighth to a sixteenth of the time that was left when the job came, so that however many wait, there are
// few different ones to look at, and what is near is told apart finely.
//
// Thread-safety: thread-compatible. Allocates only while the number of different deadlines grows beyond what it was.
#ifndef BERTHA_BATCHER_DEMAND_H_
#define BERTHA_BATCHER_DEMAND_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "batcher/clock.h"

namespace bertha::batcher {

class Demand {
 public:
  /// What a request needs, and by when. Kept by whoever adds it, to remove it again.
  struct Job {
    Duration work{0};
    TimePoint deadline;  // rounded
  };

  static Job JobOf(Duration work, TimePoint deadline, TimePoint now);

  void Add(const Job& job);
  void Remove(const Job& job);

  /// By how much the work up to the worst deadline would exceed the time up to it, if `job` were added and `before` (a
  /// time) had to pass first. Deadlines before the job's are not looked at: they do not wait for it. `speed` is how
  /// much work is done in a unit of time. Not positive: it fits.
  Duration Excess(const Job& job, Duration before, double speed, TimePoint now) const;

  /// All work together.
  Duration total() const { return total_; }

 private:
  struct Slot {
    TimePoint deadline;
    Duration work{0};
    size_t jobs = 0;
  };

  std::vector<Slot> slots_;  // by deadline
  Duration total_{0};
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_DEMAND_H_
