// A closed loop: a number of calls is always in flight, and a reply starts the next one.
//
// That measures capacity and, with one in flight, latency. It does not measure latency under load: a slow server slows
// its callers down, and what would have been sent meanwhile is missing from the figures.
#ifndef BERTHA_BENCH_LOAD_CLOSED_LOOP_H_
#define BERTHA_BENCH_LOAD_CLOSED_LOOP_H_

#include <cstddef>

#include "bench/load/plan.h"
#include "bench/load/record.h"
#include "bench/load/transport.h"
#include "bench/load/watch.h"

namespace bertha::load {

/// The loop begins calls until the first of the two is reached.
struct ClosedLoop {
  size_t in_flight = 1;
  /// After the warm-up.
  Duration length = Duration::max();
  /// Begun after the warm-up.
  size_t requests = SIZE_MAX;
};

/// Takes the calls of `plan` in turn, over and over, whatever their times; warm-up and `grace` as in an open loop.
Record RunClosedLoop(const Plan& plan, const ClosedLoop& loop, Transport& transport, Duration grace, Watch& watch);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_CLOSED_LOOP_H_
