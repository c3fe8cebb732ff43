// Time as the batcher sees it: monotonic, and injected, so that tests decide what time it is.
#ifndef BERTHA_BATCHER_CLOCK_H_
#define BERTHA_BATCHER_CLOCK_H_

#include <chrono>

namespace bertha::batcher {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint Now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_CLOCK_H_
