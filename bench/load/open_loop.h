// An open loop: calls leave when the plan says, whatever became of earlier ones.
#ifndef BERTHA_BENCH_LOAD_OPEN_LOOP_H_
#define BERTHA_BENCH_LOAD_OPEN_LOOP_H_

#include "bench/load/plan.h"
#include "bench/load/record.h"
#include "bench/load/transport.h"
#include "bench/load/watch.h"

namespace bertha::load {

/// Sends the calls of `plan` over the channels in turn, each channel by a thread of its own that sleeps until the next
/// is due. A thread that is late sends at once: it neither waits nor skips. What has not ended `grace` after the last
/// call was sent is cancelled and recorded as unfinished; if the run is stopped, after a second.
Record RunOpenLoop(const Plan& plan, Transport& transport, Duration grace, Watch& watch);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_OPEN_LOOP_H_
