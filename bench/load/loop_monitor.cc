#include "bench/load/loop_monitor.h"

#include <algorithm>
#include <ctime>

namespace bertha::load {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(200);

batcher::TimePoint Now() { return std::chrono::steady_clock::now(); }

/// User and system time of the whole process.
Duration ProcessCpu() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

}  // namespace

LoopMonitor::LoopMonitor(batcher::TimePoint begin, Duration warm_up, Duration length, Watch& watch)
    : begin_(begin), counts_from_(begin + warm_up), end_(begin + length), watch_(watch), next_tick_(begin + kTick) {}

Duration LoopMonitor::Elapsed() const { return Now() - begin_; }

bool LoopMonitor::Await(WaitGroup& group, batcher::TimePoint until, Stopping stopping) {
  while (true) {
    const batcher::TimePoint mark = from_ ? next_tick_ : std::min(next_tick_, counts_from_);
    if (group.Wait(std::min(mark, until))) return true;
    const batcher::TimePoint now = Now();
    if (!from_ && now >= counts_from_) from_ = Read();
    if (now >= next_tick_) {
      next_tick_ = now + kTick;
      watch_.OnTick(now - begin_, end_ - now);
      if (stopping == Stopping::kHeeded && watch_.stopped()) return false;
    }
    if (now >= until) return false;
  }
}

void LoopMonitor::EndCount() { to_ = Read(); }

ClientCost LoopMonitor::Cost(size_t channels) const {
  if (!from_ || !to_) return {.channels = channels};
  return {.wall = to_->at - from_->at, .cpu = to_->cpu - from_->cpu, .channels = channels};
}

LoopMonitor::Reading LoopMonitor::Read() { return {.at = Now(), .cpu = ProcessCpu()}; }

}  // namespace bertha::load
