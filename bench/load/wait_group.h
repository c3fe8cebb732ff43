// Counts what is under way; a thread waits until nothing is.
#ifndef BERTHA_BENCH_LOAD_WAIT_GROUP_H_
#define BERTHA_BENCH_LOAD_WAIT_GROUP_H_

#include <cstddef>

#include "batcher/clock.h"
#include "batcher/mutex.h"

namespace bertha::load {

/// Thread-safe.
class WaitGroup {
 public:
  explicit WaitGroup(size_t under_way = 0) : under_way_(under_way) {}

  void Add() {
    MutexLock lock(mutex_);
    ++under_way_;
  }
  void Done() {
    MutexLock lock(mutex_);
    if (--under_way_ == 0) none_.NotifyAll();
  }
  /// False if something is still under way then.
  bool Wait(batcher::TimePoint until) {
    MutexLock lock(mutex_);
    while (under_way_ > 0) {
      if (!none_.WaitUntil(mutex_, until) && under_way_ > 0) return false;
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar none_;
  size_t under_way_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_WAIT_GROUP_H_
