// Is there a queue that does not drain?
//
// CoDel's rule (Nichols, Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012; RFC 8289): a burst makes long
// delays for a moment, but only a standing queue keeps even the *smallest* delay of a window above the target. As
// servers use it (Maurer, "Fail at Scale", ACM Queue 13(8), 2015), the oldest are shed then, since their callers have
// waited longest and are the likeliest to have given up, and those that stay are served while their answers are of use.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_OVERLOAD_H_
#define BERTHA_BATCHER_OVERLOAD_H_

#include <algorithm>

#include "batcher/clock.h"

namespace bertha::batcher {

class OverloadDetector {
 public:
  /// A `target` of zero is never exceeded.
  OverloadDetector(Duration target, Duration window) : target_(target), window_(window) {}

  /// A request that waited so long was started.
  void Started(Duration waited, TimePoint now) {
    Turn(now);
    least_ = std::min(least_, waited);
  }

  /// Whether the smallest delay of the last whole window was above the target. A window in which nothing was started
  /// changes nothing.
  bool Overloaded(TimePoint now) {
    Turn(now);
    return overloaded_;
  }

 private:
  void Turn(TimePoint now) {
    if (now - began_ < window_) return;
    if (least_ != Duration::max()) overloaded_ = target_ > Duration::zero() && least_ > target_;
    least_ = Duration::max();
    began_ = now;
  }

  Duration target_, window_;
  TimePoint began_;
  Duration least_ = Duration::max();
  bool overloaded_ = false;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_OVERLOAD_H_
