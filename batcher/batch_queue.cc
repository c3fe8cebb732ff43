#include "batcher/batch_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {

void Batch::Clear() {
  requests.clear();
  expired.clear();
  stats = BatchStats{};
}

bool BatchQueue::MoreUrgent::operator()(const Request* a, const Request* b) const {
  if (a->deadline != b->deadline) return a->deadline < b->deadline;
  return a->sequence_ < b->sequence_;
}

ModelId BatchQueue::AddModel(const ModelLimits& limits) {
  models_.emplace(next_id_, Model{limits, {}});
  return next_id_++;
}

void BatchQueue::CloseModel(ModelId id) { models_.at(id).closed = true; }

void BatchQueue::EraseModel(ModelId id) { models_.erase(id); }

bool BatchQueue::Waits(ModelId id) const {
  const auto it = models_.find(id);
  return it != models_.end() && !it->second.waiting.empty();
}

absl::Status BatchQueue::Reserve(size_t n) {
  if (n > options_.max_requests) {
    return absl::InvalidArgumentError(absl::StrCat("the call has ", n, " inputs, the queue holds at most ",
                                                   options_.max_requests, "; split the call"));
  }
  if (size_ + reserved_ + n > options_.max_requests || tokens_ >= options_.max_tokens) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full: ", size_, " requests of ", tokens_, " tokens wait; try again later"));
  }
  reserved_ += n;
  return absl::OkStatus();
}

void BatchQueue::Unreserve(size_t n) { reserved_ -= n; }

absl::Status BatchQueue::Admit(std::span<Request* const> requests, TimePoint now) const {
  size_t tokens = 0;
  for (const Request* request : requests) {
    tokens += request->ids.size();
    const auto model = models_.find(request->model);
    if (model == models_.end() || model->second.closed) {
      return absl::UnavailableError("the model was taken away while the request was prepared; try again");
    }
    if (request->deadline <= now) {
      return absl::DeadlineExceededError("the deadline passed before the request could be queued");
    }
  }
  if (tokens > options_.max_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("the call has ", tokens, " tokens, the queue holds at most ",
                                                   options_.max_tokens, "; split the call"));
  }
  if (tokens_ + tokens > options_.max_tokens) {
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", tokens_, " tokens wait, ", tokens,
                                                     " more exceed the limit of ", options_.max_tokens,
                                                     "; try again later"));
  }
  return absl::OkStatus();
}

absl::Status BatchQueue::Push(std::span<Request* const> requests, TimePoint now) {
  Unreserve(requests.size());
  if (absl::Status status = Admit(requests, now); !status.ok()) return status;
  for (Request* request : requests) {
    if (request->deadline == TimePoint::max()) request->deadline = now + options_.default_deadline;
    request->accepted = now;
    request->sequence_ = next_sequence_++;
    request->waiting_ = true;
    models_.at(request->model).waiting.insert(request);
    size_ += 1;
    tokens_ += request->ids.size();
  }
  return absl::OkStatus();
}

void BatchQueue::Leave(Request& request) {
  request.waiting_ = false;
  size_ -= 1;
  tokens_ -= request.ids.size();
}

bool BatchQueue::Remove(Request& request) {
  if (!request.waiting_) return false;
  models_.at(request.model).waiting.erase(&request);
  Leave(request);
  return true;
}

void BatchQueue::TakeExpired(TimePoint now, Batch& batch) {
  for (auto& [id, model] : models_) {
    auto it = model.waiting.begin();
    for (; it != model.waiting.end() && (*it)->deadline <= now; ++it) {
      Leave(**it);
      batch.expired.push_back(*it);
    }
    model.waiting.erase(model.waiting.begin(), it);
  }
}

std::map<ModelId, BatchQueue::Model>::iterator BatchQueue::MostUrgent() {
  auto best = models_.end();
  for (auto it = models_.begin(); it != models_.end(); ++it) {
    if (it->second.waiting.empty()) continue;
    if (best == models_.end() || MoreUrgent()(*it->second.waiting.begin(), *best->second.waiting.begin())) best = it;
  }
  return best;
}

void BatchQueue::TakeBatch(Model& model, Batch& batch) {
  size_t tokens = 0;
  size_t longest = 0;
  size_t cost = 0;
  auto it = model.waiting.begin();
  for (; it != model.waiting.end() && batch.requests.size() < model.limits.max_batch_requests; ++it) {
    const size_t length = (*it)->ids.size();
    const size_t new_longest = std::max(longest, length);
    const size_t new_cost = model.limits.pads ? (batch.requests.size() + 1) * new_longest : tokens + length;
    // The first request always runs: a budget below one text's length must not block the queue.
    if (!batch.requests.empty() && new_cost > model.limits.max_batch_tokens) break;
    tokens += length;
    longest = new_longest;
    cost = new_cost;
    Leave(**it);
    batch.requests.push_back(*it);
  }
  model.waiting.erase(model.waiting.begin(), it);
  batch.stats = {static_cast<uint32_t>(batch.requests.size()), static_cast<uint32_t>(tokens),
                 static_cast<uint32_t>(cost)};
}

void BatchQueue::NextBatch(TimePoint now, Batch& batch) {
  batch.Clear();
  TakeExpired(now, batch);
  if (const auto it = MostUrgent(); it != models_.end()) {
    batch.model = it->first;
    TakeBatch(it->second, batch);
  }
}

void BatchQueue::Clear(Batch& batch) { TakeExpired(TimePoint::max(), batch); }

}  // namespace bertha::batcher
