// Gives requests their outcomes, on a thread of its own: the worker is already on its next batch meanwhile.
//
// Everything that is handed over is delivered, in that order. Also keeps batch runs to be used again.
//
// Thread-safety: all but Stop may be called from any thread, and from under the dispatcher's mutex: its own is held
// over nothing that takes another one.
#ifndef BERTHA_BATCHER_COMPLETION_H_
#define BERTHA_BATCHER_COMPLETION_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "batcher/batch_run.h"
#include "batcher/ending.h"
#include "batcher/mutex.h"

namespace bertha::batcher {

class Completion {
 public:
  Completion();
  ~Completion() { Stop(); }

  /// An empty one.
  std::unique_ptr<BatchRun> NewRun();
  /// Takes one back that came to nothing.
  void Recycle(std::unique_ptr<BatchRun> run);

  /// Its requests get their outcomes.
  void Deliver(std::unique_ptr<BatchRun> run);

  /// Delivers what was handed over, and joins the thread. Idempotent; not from a listener, nor twice at a time.
  void Stop();

  /// How many requests ended so.
  uint64_t ended(Ending why) const { return endings_[static_cast<size_t>(why)].load(std::memory_order_relaxed); }

 private:
  void Loop();
  void Tell(const BatchRun& run);

  std::array<std::atomic<uint64_t>, kEndings> endings_{};
  Mutex mutex_;
  CondVar arrived_;
  std::vector<std::unique_ptr<BatchRun>> arrivals_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<BatchRun>> spare_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_COMPLETION_H_
