#include "bench/simulator/policy.h"

#include <algorithm>
#include <deque>
#include <span>

#include "batcher/batch_queue.h"

namespace bertha::batcher {
namespace {

class Bertha final : public Policy {
 public:
  explicit Bertha(const Settings& settings) : queue_(settings.queue) {
    for (const double weight : settings.weights) {
      ModelLimits limits = settings.limits;
      limits.weight = weight;
      queue_.AddModel(limits, settings.cold ? CostTable() : settings.costs);
    }
  }
  bool Accept(Job& job, TimePoint now, std::vector<Job*>& dropped) override {
    Request* request = &job.request;
    bool accepted = queue_.Reserve(request->model, 1, request->priority, ended_).ok();
    accepted = accepted && queue_.Push(std::span(&request, 1), now, ended_).ok();
    Collect(dropped);
    return accepted;
  }
  void Next(TimePoint now, std::vector<Job*>& batch, std::vector<Job*>& dropped, TimePoint& wake) override {
    queue_.NextBatch(now, running_, ended_);
    Collect(dropped);
    for (Request* request : running_.requests) batch.push_back(JobOf(request));
    wake = running_.wait_until;
  }
  void Finished(TimePoint now) override { queue_.Finished(now, running_); }
  size_t waiting() const override { return queue_.size(); }

 private:
  static Job* JobOf(Request* request) { return reinterpret_cast<Job*>(request); }  // its first member
  void Collect(std::vector<Job*>& dropped) {
    for (const Ended& ended : ended_) dropped.push_back(JobOf(ended.request));
    ended_.clear();
  }
  BatchQueue queue_;
  Batch running_;
  std::vector<Ended> ended_;
};

/// First come, first served, a queue for each model. Waits for a full batch, at most `delay` from the arrival of the
/// oldest (Triton's dynamic batcher; with no delay text-embeddings-inference's). Nothing is dropped unless
/// `rejects_expired`, which Triton does if a queue policy with timeouts is set for the model.
class Fifo final : public Policy {
 public:
  Fifo(const Settings& settings, double delay, bool rejects_expired = false)
      : limits_(settings.limits),
        most_(settings.queue.max_requests),
        delay_(FromSeconds(delay)),
        rejects_expired_(rejects_expired),
        queues_(settings.weights.size()) {}
  bool Accept(Job& job, TimePoint /*now*/, std::vector<Job*>& /*dropped*/) override {
    if (waiting_ == most_) return false;
    queues_[job.request.model].push_back(&job);
    waiting_ += 1;
    return true;
  }
  void Next(TimePoint now, std::vector<Job*>& batch, std::vector<Job*>& dropped, TimePoint& wake) override {
    if (rejects_expired_) Reject(now, dropped);
    std::deque<Job*>* next = nullptr;
    for (auto& queue : queues_) {
      if (!queue.empty() && (!next || queue.front()->arrived < next->front()->arrived)) next = &queue;
    }
    if (!next) return;
    size_t tokens = 0, longest = 0;
    bool full = false;
    for (Job* job : *next) {
      const size_t length = job->request.ids.size();
      const size_t new_longest = std::max(longest, length);
      const size_t computed = limits_.pads ? (batch.size() + 1) * new_longest : tokens + length;
      full = batch.size() == limits_.max_batch_requests || (!batch.empty() && computed > limits_.max_batch_tokens);
      if (full) break;
      batch.push_back(job);
      tokens += length;
      longest = new_longest;
    }
    full = full || batch.size() == limits_.max_batch_requests;
    if (!full && next->front()->arrived + delay_ > now) {
      wake = next->front()->arrived + delay_;
      batch.clear();
      return;
    }
    next->erase(next->begin(), next->begin() + static_cast<ptrdiff_t>(batch.size()));
    waiting_ -= batch.size();
  }
  size_t waiting() const override { return waiting_; }

 private:
  void Reject(TimePoint now, std::vector<Job*>& dropped) {
    for (auto& queue : queues_) {
      waiting_ -= std::erase_if(queue, [&](Job* job) {
        const bool expired = job->request.deadline <= now;
        if (expired) dropped.push_back(job);
        return expired;
      });
    }
  }

  const ModelLimits limits_;
  const size_t most_;
  const Duration delay_;
  const bool rejects_expired_;
  std::vector<std::deque<Job*>> queues_;
  size_t waiting_ = 0;
};

}  // namespace

std::unique_ptr<Policy> MakePolicy(const Settings& settings) {
  if (settings.policy == "bertha") return std::make_unique<Bertha>(settings);
  if (settings.policy == "greedy-fifo") return std::make_unique<Fifo>(settings, 0);
  if (settings.policy == "fifo-timeout") return std::make_unique<Fifo>(settings, settings.delay);
  if (settings.policy == "fifo-reject") return std::make_unique<Fifo>(settings, settings.delay, true);
  if (settings.policy == "fixed") return std::make_unique<Fifo>(settings, std::max(settings.delay, 0.05));
  return nullptr;
}

}  // namespace bertha::batcher
