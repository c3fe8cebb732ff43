#include "server/model_counters.h"

#include <algorithm>

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::TimePoint;

void Add(std::atomic<int64_t>& sum, int64_t value) { sum.fetch_add(value, std::memory_order_relaxed); }

/// Clocks of threads may be some nanoseconds apart; a sum must not shrink.
void Add(std::atomic<int64_t>& sum, Duration time) {
  Add(sum, std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()));
}

int64_t Load(const std::atomic<int64_t>& value) { return value.load(std::memory_order_relaxed); }
uint64_t CountOf(const std::atomic<int64_t>& value) { return static_cast<uint64_t>(Load(value)); }
Duration TimeOf(const std::atomic<int64_t>& ns) { return std::chrono::nanoseconds(Load(ns)); }

}  // namespace

void ModelCounters::AddSuccess(size_t inputs, const CallTimes& times, TimePoint now) {
  Add(succeeded_, 1);
  Add(inputs_, static_cast<int64_t>(inputs));
  Add(total_ns_, times.total);
  Add(tokenize_ns_, times.tokenize);
  Add(queue_ns_, times.queue);
  Add(infer_ns_, times.infer);
  Add(output_ns_, times.output);
  last_success_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

void ModelCounters::AddFailure(Duration total) {
  Add(failed_, 1);
  Add(failed_ns_, total);
}

void ModelCounters::AddComputed(TimePoint finished) {
  const int64_t pass = finished.time_since_epoch().count();
  if (last_pass_.exchange(pass, std::memory_order_relaxed) != pass) Add(passes_, 1);
}

ModelCounters::Totals ModelCounters::Read() const {
  return {.succeeded = CountOf(succeeded_),
          .inputs = CountOf(inputs_),
          .times = {.total = TimeOf(total_ns_),
                    .tokenize = TimeOf(tokenize_ns_),
                    .queue = TimeOf(queue_ns_),
                    .infer = TimeOf(infer_ns_),
                    .output = TimeOf(output_ns_)},
          .last_success = TimePoint(TimePoint::duration(Load(last_success_))),
          .failed = CountOf(failed_),
          .failed_time = TimeOf(failed_ns_),
          .passes = CountOf(passes_)};
}

}  // namespace bertha::server
