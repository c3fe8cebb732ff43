#include "clients/cli/pipeline.h"

#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "batcher/mutex.h"

namespace bertha::cli {
namespace {

class Pipeline {
 public:
  Pipeline(size_t workers, const PipelineSteps& steps) : window_(4 * workers), steps_(steps) {}

  /// A worker's life: take a chunk, answer it, hand it in.
  void Work() {
    while (auto numbered = TakeChunk()) {
      Outcome outcome = steps_.answer(std::move(numbered->second));
      MutexLock lock(mutex_);
      done_.emplace(numbered->first, std::move(outcome));
      changed_.NotifyAll();
    }
  }

  /// The writer's life.
  void Write() {
    while (auto outcome = TakeOutcome()) {
      steps_.write(*std::move(outcome));
      MutexLock lock(mutex_);
      ++written_;
      changed_.NotifyAll();
    }
  }

  absl::Status read_status() {
    MutexLock lock(mutex_);
    return read_status_;
  }

 private:
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ || read_ - written_ < window_; }
  bool MayWrite() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return done_.count(written_) != 0 || (ended_ && written_ == read_);
  }

  /// Blocks in `read` with only read_mutex_ held, so that answers are handed in and written meanwhile.
  std::optional<std::pair<size_t, Chunk>> TakeChunk() {
    MutexLock read_lock(read_mutex_);
    {
      MutexLock lock(mutex_);
      while (!MayRead()) changed_.Wait(mutex_);
      if (ended_) return std::nullopt;
    }
    absl::StatusOr<Chunk> chunk = steps_.read();
    MutexLock lock(mutex_);
    if (chunk.ok() && !chunk->inputs.empty()) return std::make_pair(read_++, *std::move(chunk));
    if (!chunk.ok()) read_status_ = chunk.status();
    ended_ = true;
    changed_.NotifyAll();
    return std::nullopt;
  }

  std::optional<Outcome> TakeOutcome() {
    MutexLock lock(mutex_);
    while (!MayWrite()) changed_.Wait(mutex_);
    auto found = done_.find(written_);
    if (found == done_.end()) return std::nullopt;
    Outcome outcome = std::move(found->second);
    done_.erase(found);
    return outcome;
  }

  const size_t window_;
  const PipelineSteps& steps_;
  Mutex read_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // held by the one worker that reads
  Mutex mutex_;
  CondVar changed_;                             // any of the state below
  size_t read_ ABSL_GUARDED_BY(mutex_) = 0;     // chunks taken so far: the number of the next one
  size_t written_ ABSL_GUARDED_BY(mutex_) = 0;  // outcomes written so far: the number of the next one
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status read_status_ ABSL_GUARDED_BY(mutex_);
  std::map<size_t, Outcome> done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status RunPipeline(size_t workers, const PipelineSteps& steps) {
  Pipeline pipeline(workers, steps);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < workers; ++i) threads.emplace_back([&pipeline] { pipeline.Work(); });
  pipeline.Write();
  for (std::thread& thread : threads) thread.join();
  return pipeline.read_status();
}

}  // namespace bertha::cli
