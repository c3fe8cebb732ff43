// A few threads for work that would hold up the caller's thread too long, with a bounded queue before them.
//
// Thread-safety: thread-safe. The destructor runs what is queued, then joins.
#ifndef BERTHA_SERVER_WORK_POOL_H_
#define BERTHA_SERVER_WORK_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "batcher/mutex.h"

namespace bertha::server {

class WorkPool {
 public:
  WorkPool(size_t threads, size_t max_queued);
  ~WorkPool();

  /// False if the queue is full; `work` is then not run.
  bool TryRun(std::function<void()> work);

 private:
  void Loop();

  const size_t max_queued_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queued_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_WORK_POOL_H_
