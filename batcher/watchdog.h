// Finds forward passes that do not return: a thread that looks at all of them at fixed times.
//
// It counts its looks rather than time: a machine that stood still, or a clock that jumped, is not the engine's fault.
//
// Thread-safety: all but Stop may be called from any thread. Nothing is held over the callback, and Wake may be called
// from under any mutex that the callback takes.
#ifndef BERTHA_BATCHER_WATCHDOG_H_
#define BERTHA_BATCHER_WATCHDOG_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include "batcher/clock.h"
#include "batcher/mutex.h"

namespace bertha::batcher {

class Watchdog {
 public:
  /// The forward passes of one worker. Guarded by whoever has it.
  struct Pass {
    /// Whether the encoder is at it, and how often the watchdog has looked on.
    bool busy = false;
    int64_t looks = 0;
    /// Whether it was given up and has not returned yet.
    bool given_up = false;

    void Begin() {
      busy = true;
      looks = 0;
    }
    /// False if it was given up meanwhile.
    bool Return() {
      busy = false;
      return !given_up;
    }
  };

  /// Calls `look(true)` on its thread at each look, which should go to every pass, and `look(false)` when woken.
  Watchdog(Duration stuck_after, std::function<void(bool counts)> look);
  ~Watchdog() { Stop(); }

  /// Looks at a pass; true, once, if it has taken longer than `stuck_after`: it is given up.
  bool GivesUp(Pass& pass) const;

  void Wake();

  /// No call comes after it. Idempotent; not from the callback, nor twice at a time.
  void Stop();

 private:
  void Loop();

  const Duration between_;
  const int64_t enough_looks_;
  const std::function<void(bool counts)> look_;
  Mutex mutex_;
  CondVar changed_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_WATCHDOG_H_
