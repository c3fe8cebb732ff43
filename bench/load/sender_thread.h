// Leaving on time: what a thread that sends by a schedule asks of the system.
#ifndef BERTHA_BENCH_LOAD_SENDER_THREAD_H_
#define BERTHA_BENCH_LOAD_SENDER_THREAD_H_

#include "batcher/clock.h"

namespace bertha::load {

/// For the calling thread: timers that are not rounded (the kernel's usual slack is 50 us), and, where the system
/// allows it, to run before others that want its core.
void BecomeSender();

/// Until `due` on the monotonic clock; a signal does not shorten it.
void SleepUntil(batcher::TimePoint due);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_SENDER_THREAD_H_
