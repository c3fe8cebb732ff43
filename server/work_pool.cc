#include "server/work_pool.h"

#include <utility>

namespace bertha::server {

WorkPool::WorkPool(size_t threads, size_t max_queued) : max_queued_(max_queued) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

WorkPool::~WorkPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool WorkPool::TryRun(std::function<void()> work) {
  MutexLock lock(mutex_);
  if (queued_.size() >= max_queued_) return false;
  queued_.push_back(std::move(work));
  changed_.NotifyOne();
  return true;
}

void WorkPool::Loop() {
  while (true) {
    std::function<void()> work;
    {
      MutexLock lock(mutex_);
      while (queued_.empty() && !stopping_) changed_.Wait(mutex_);
      if (queued_.empty()) return;
      work = std::move(queued_.front());
      queued_.pop_front();
    }
    work();
  }
}

}  // namespace bertha::server
