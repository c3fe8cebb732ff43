// When to look at connections for abuse: soon after something came, ever more seldom while all are quiet, and not at
// all while there are none. Looking takes a fortieth of a core at most.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_LOOK_SCHEDULE_H_
#define BERTHA_SERVER_LOOK_SCHEDULE_H_

#include <algorithm>
#include <chrono>

#include "batcher/clock.h"

namespace bertha::server {

class LookSchedule {
 public:
  /// Between two looks while something comes.
  static constexpr batcher::Duration kOften = std::chrono::milliseconds(50);
  /// Between two looks while nothing does: so late is the first flood of a quiet connection noticed.
  static constexpr batcher::Duration kSeldom = std::chrono::milliseconds(500);

  /// There is a reason to look, e.g. a new connection.
  void Soon(batcher::TimePoint now) {
    interval_ = kOften;
    next_ = std::min(next_, std::max(earliest_, now + kOften));
  }

  /// A look has ended. `active`: something had come; `any`: there are connections still.
  void OnLook(batcher::TimePoint began, batcher::TimePoint ended, bool active, bool any) {
    interval_ = active ? kOften : std::min(2 * interval_, kSeldom);
    earliest_ = ended + (ended - began) * kMostOfACore;
    next_ = any ? std::max(earliest_, ended + interval_) : batcher::TimePoint::max();
  }

  /// max(): not before Soon is called.
  batcher::TimePoint next() const { return next_; }

 private:
  static constexpr int kMostOfACore = 40;  // 1/40

  batcher::Duration interval_ = kOften;
  batcher::TimePoint earliest_{};
  batcher::TimePoint next_ = batcher::TimePoint::max();
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_LOOK_SCHEDULE_H_
