// What the thread that runs a loop does while others send and receive: it waits, ticks, and reads what the measuring
// itself takes.
#ifndef BERTHA_BENCH_LOAD_LOOP_MONITOR_H_
#define BERTHA_BENCH_LOAD_LOOP_MONITOR_H_

#include <optional>

#include "batcher/clock.h"
#include "bench/load/record.h"
#include "bench/load/wait_group.h"
#include "bench/load/watch.h"

namespace bertha::load {

/// What is cancelled when a run was stopped does not get more time than this.
inline constexpr Duration kGraceIfStopped = std::chrono::seconds(1);

/// Elapsed() is for all threads, the rest for the one that runs the loop.
class LoopMonitor {
 public:
  /// The run begins at `begin`, its calls count from `warm_up` later, and the schedule is `length` long.
  LoopMonitor(batcher::TimePoint begin, Duration warm_up, Duration length, Watch& watch);

  /// After the begin of the run.
  Duration Elapsed() const;

  enum class Stopping { kHeeded, kIgnored };
  /// Returns true as soon as nothing of `group` is under way; false if something is at `until`, or if somebody stops
  /// the run.
  bool Await(WaitGroup& group, batcher::TimePoint until, Stopping stopping);

  /// Ends what Cost() is about, which began when the calls began to count.
  void EndCount();
  ClientCost Cost(size_t channels) const;

 private:
  struct Reading {
    batcher::TimePoint at;
    Duration cpu;
  };
  static Reading Read();

  const batcher::TimePoint begin_, counts_from_, end_;
  Watch& watch_;
  batcher::TimePoint next_tick_;
  std::optional<Reading> from_, to_;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_LOOP_MONITOR_H_
