#include "batcher/backlog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "batcher/batch.h"

namespace bertha::batcher {

// ---- models

ModelId Backlog::AddModel(const ModelLimits& limits, CostTable costs) {
  models_.emplace(next_id_, Model{limits, ModelSpeed(std::move(costs)),
                                  OverloadDetector(options_.overload_target, options_.overload_window)});
  return next_id_++;
}

void Backlog::CloseModel(ModelId id) {
  Model& model = models_.at(id);
  reserved_ -= std::exchange(model.reserved, 0);
  model.closed = true;
}

void Backlog::EraseModel(ModelId id) {
  CloseModel(id);
  models_.erase(id);
}

absl::StatusOr<Backlog::Model*> Backlog::OpenModel(ModelId id) {
  const auto model = models_.find(id);
  if (model != models_.end() && !model->second.closed) return &model->second;
  return absl::UnavailableError("the model was taken away while the request was prepared; try again");
}

bool Backlog::Waits(ModelId id) const {
  const auto it = models_.find(id);
  return it != models_.end() && it->second.waiting > 0;
}

size_t Backlog::unstaged() const {
  size_t requests = 0;
  for (const auto& [id, model] : models_) requests += model.queue.size();
  return requests;
}

// ---- places

absl::Status Backlog::Reserve(ModelId id, size_t n, Priority priority, TimePoint now, std::vector<Ended>& ended) {
  if (n > options_.max_requests) {
    return absl::InvalidArgumentError(absl::StrCat("the call has ", n, " inputs, the queue holds at most ",
                                                   options_.max_requests, "; split the call"));
  }
  absl::StatusOr<Model*> model = OpenModel(id);
  if (!model.ok()) return model.status();
  if (absl::Status status = MakeRoom(**model, n, 1, priority, now, ended); !status.ok()) return status;
  (*model)->reserved += n;
  reserved_ += n;
  return absl::OkStatus();
}

void Backlog::Unreserve(ModelId id, size_t n) {
  const auto model = models_.find(id);
  if (model == models_.end() || model->second.closed) return;
  model->second.reserved -= n;
  reserved_ -= n;
}

absl::Status Backlog::MakeRoom(Model& model, size_t requests, size_t tokens, Priority priority, TimePoint now,
                               std::vector<Ended>& ended) {
  if (size_ + reserved_ + requests <= options_.max_requests && tokens_ + tokens <= options_.max_tokens) {
    return absl::OkStatus();
  }
  eviction_.Clear();
  for (const auto& [id, other] : models_) {
    const size_t held = other.waiting + other.reserved;
    if (&other == &model) {
      eviction_.Add({model.limits.weight, held + requests, model.tokens + tokens, 0, true,
                     LeastUrgentFirst(model.queue, IndexOf(priority) + 1)});
    } else if (!other.closed) {
      eviction_.Add({other.limits.weight, held, other.tokens, other.reserved, false, LeastUrgentFirst(other.queue, 0)});
    }
  }
  if (!eviction_.Choose(size_ + reserved_ + requests, tokens_ + tokens)) {
    refused_ += requests;
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", size_, " requests of ", tokens_,
                                                     " tokens wait, ", reserved_,
                                                     " are prepared; limits: ", options_.max_requests, " requests, ",
                                                     options_.max_tokens, " tokens; try again later"));
  }
  for (Request* victim : eviction_.victims()) End(*victim, Ending::kEvicted, now, ended);
  return absl::OkStatus();
}

// ---- what comes in

void Backlog::Add(Model& model, Request& request, TimePoint now) {
  request.has_own_deadline_ = request.deadline != TimePoint::max();
  if (!request.has_own_deadline_) request.deadline = now + options_.default_deadline;
  request.accepted = now;
  request.sequence_ = next_sequence_++;
  request.leader_ = request.next_twin_ = nullptr;  // it may have run before
  if (!JoinLeader(model, request)) Enter(model, request, now);
}

/// False if there is none; then the request leads.
bool Backlog::JoinLeader(Model& model, Request& request) {
  Request* leader = options_.share_identical ? twins_.FindOrLead(request) : nullptr;
  if (!leader) return false;
  if (leader->place_ != Request::Place::kRunning && MoreUrgent()(&request, leader)) {
    // It takes the leader's place in the queue, with its own deadline.
    Leave(*leader);
    twins_.Replace(*leader, request);
    Enter(model, request, request.accepted);
    InheritTurn(model, *leader, request);
    Twins::Join(*leader, request);
    leader->place_ = Request::Place::kTwin;
  } else {
    Twins::Join(request, *leader);
    request.place_ = Request::Place::kTwin;
    if (leader->place_ == Request::Place::kRunning) return true;  // waits for nothing but the answer
  }
  size_ += 1;
  model.waiting += 1;
  return true;
}

/// The request waits from now on, in its model's queue.
void Backlog::Enter(Model& model, Request& request, TimePoint now) {
  if (model.waiting == 0) model.served = std::max(model.served, served_);
  model.queue.Enter(request, now);
  size_ += 1;
  tokens_ += request.ids.size();
  model.tokens += request.ids.size();
  model.waiting += 1;
}

/// `next` goes on in the class, and with the skips, of the one whose place it took.
void Backlog::InheritTurn(Model& model, const Request& from, Request& next) {
  model.queue.Move(next, from.rank_);
  next.skipped_ = from.skipped_;
}

// ---- what goes out

/// The request waits no longer, neither in its class nor in a staged batch. Its twins are left alone.
void Backlog::Leave(Request& request) {
  Model& model = models_.at(request.model);
  if (request.place_ == Request::Place::kWaiting) {
    model.queue.Take(request);
  } else {
    Batch& batch = *request.batch_;
    batch.requests.erase(std::find(batch.requests.begin(), batch.requests.end(), &request));
    batch.changed = true;
  }
  model.queue.Leave(request);
  request.place_ = Request::Place::kNowhere;
  size_ -= 1;
  tokens_ -= request.ids.size();
  model.tokens -= request.ids.size();
  model.waiting -= 1;
}

/// The request may come again, with another text.
void Backlog::Forget(Request& request) {
  request.place_ = Request::Place::kNowhere;
  request.hash_ = 0;
}

bool Backlog::Remove(Request& request, TimePoint now) {
  switch (request.place_) {
    case Request::Place::kNowhere:
    case Request::Place::kRunning:
      return false;
    case Request::Place::kTwin:
      RemoveTwin(request);
      break;
    case Request::Place::kWaiting:
    case Request::Place::kStaged:
      Leave(request);
      if (request.next_twin_) {
        GiveTwinThePlaceOf(request, now);
      } else {
        twins_.Close(request);
      }
      break;
  }
  Forget(request);
  return true;
}

void Backlog::RemoveTwin(Request& request) {
  if (request.leader_->place_ != Request::Place::kRunning) {
    size_ -= 1;
    models_.at(request.model).waiting -= 1;
  }
  Twins::Leave(request);
}

/// The most urgent twin leads in place of `request`, which has left.
void Backlog::GiveTwinThePlaceOf(Request& request, TimePoint now) {
  Request* next = request.next_twin_;
  for (Request* twin = next; twin; twin = twin->next_twin_) {
    if (MoreUrgent()(twin, next)) next = twin;
  }
  twins_.Replace(request, *next);
  Model& model = models_.at(next->model);
  size_ -= 1;  // it waited as a twin
  model.waiting -= 1;
  Enter(model, *next, now);
  InheritTurn(model, request, *next);
}

void Backlog::End(Request& request, Ending why, TimePoint now, std::vector<Ended>& ended) {
  Remove(request, now);
  ended.push_back({&request, why});
}

void Backlog::EndAll(Ending why, TimePoint now, std::vector<Ended>& ended) {
  for (auto& [id, model] : models_) {
    for (const ModelQueue::Class& own : model.queue.classes()) {
      while (!own.by_deadline.empty()) End(**own.by_deadline.begin(), why, now, ended);
    }
  }
}

void Backlog::Start(Model& model, Request& request) {
  request.place_ = Request::Place::kRunning;
  model.queue.Leave(request);
  tokens_ -= request.ids.size();
  model.tokens -= request.ids.size();
  for (const Request* each = &request; each; each = each->next_twin_) {
    size_ -= 1;
    model.waiting -= 1;
  }
}

void Backlog::Finish(Request& request) {
  twins_.Close(request);
  for (Request* each = &request; each; each = each->next_twin_) Forget(*each);
}

// ---- turns

Backlog::Models::iterator Backlog::NextModel() {
  auto best = models_.end();
  for (auto it = models_.begin(); it != models_.end(); ++it) {
    if (it->second.holds || it->second.queue.empty()) continue;
    if (best == models_.end() || it->second.served < best->second.served) best = it;
  }
  return best;
}

double Backlog::ShareOf(const Model& model) const {
  double all = 0;
  for (const auto& [id, other] : models_) {
    if (&other == &model || other.waiting > 0) all += other.limits.weight;
  }
  return model.limits.weight / all;
}

}  // namespace bertha::batcher
