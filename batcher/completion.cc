#include "batcher/completion.h"

#include <algorithm>
#include <utility>

namespace bertha::batcher {

Completion::Completion() : thread_([this] { Loop(); }) {}

std::unique_ptr<BatchRun> Completion::NewRun() {
  std::unique_ptr<BatchRun> run;
  {
    MutexLock lock(mutex_);
    if (!spare_.empty()) {
      run = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (!run) run = std::make_unique<BatchRun>();
  run->Clear();
  return run;
}

void Completion::Recycle(std::unique_ptr<BatchRun> run) {
  MutexLock lock(mutex_);
  spare_.push_back(std::move(run));
}

void Completion::Deliver(std::unique_ptr<BatchRun> run) {
  MutexLock lock(mutex_);
  arrivals_.push_back(std::move(run));
  arrived_.NotifyOne();
}

void Completion::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    arrived_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Completion::Loop() {
  std::vector<std::unique_ptr<BatchRun>> mine;
  while (true) {
    {
      MutexLock lock(mutex_);
      for (auto& run : mine) spare_.push_back(std::move(run));
      mine.clear();
      while (arrivals_.empty() && !stopping_) arrived_.Wait(mutex_);
      if (arrivals_.empty()) return;
      mine.swap(arrivals_);
    }
    for (const auto& run : mine) Tell(*run);
  }
}

void Completion::Tell(const BatchRun& run) {
  for (const Ended& ended : run.ended) {
    endings_[static_cast<size_t>(ended.why)].fetch_add(1, std::memory_order_relaxed);
    ended.request->listener->OnDone(*ended.request, Outcome{StatusOf(ended.why), {}, {}, {}, {}});
  }
  for (size_t i = 0; i < run.batch.requests.size(); ++i) {
    Outcome outcome = run.OutcomeOf(i);
    for (Request* request = run.batch.requests[i]; request;) {
      Request* next = request->twin();  // `request` is its owner's again
      outcome.started = std::max(run.started(), request->accepted);
      request->listener->OnDone(*request, outcome);
      request = next;
    }
  }
}

}  // namespace bertha::batcher
