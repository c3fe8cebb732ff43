#include "batcher/batch_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

/// A request is dropped as too late only if so much of its estimated time does not fit any more: estimates err.
constexpr double kCertain = 0.9;

double Milliseconds(Duration time) { return static_cast<double>(time.count()) * 1e-6; }

}  // namespace

// ---- models

ModelId BatchQueue::AddModel(const ModelLimits& limits, CostTable costs) {
  models_.emplace(next_id_, Model{limits, ModelSpeed(std::move(costs)),
                                  OverloadDetector(options_.overload_target, options_.overload_window)});
  return next_id_++;
}

void BatchQueue::CloseModel(ModelId id) {
  Model& model = models_.at(id);
  reserved_ -= std::exchange(model.reserved, 0);
  model.closed = true;
}

void BatchQueue::EraseModel(ModelId id) {
  CloseModel(id);
  models_.erase(id);
}

bool BatchQueue::Waits(ModelId id) const {
  const auto it = models_.find(id);
  return it != models_.end() && it->second.waiting > 0;
}

size_t BatchQueue::unstaged() const {
  size_t requests = 0;
  for (const auto& [id, model] : models_) requests += model.queue.size();
  return requests;
}

// ---- what comes in

TimePoint BatchQueue::Later(TimePoint now) { return latest_ = std::max(latest_, now); }

absl::StatusOr<BatchQueue::Model*> BatchQueue::OpenModel(ModelId id) {
  const auto model = models_.find(id);
  if (model != models_.end() && !model->second.closed) return &model->second;
  return absl::UnavailableError("the model was taken away while the request was prepared; try again");
}

absl::Status BatchQueue::Reserve(ModelId id, size_t n, Priority priority, std::vector<Ended>& ended) {
  if (n > options_.max_requests) {
    return absl::InvalidArgumentError(absl::StrCat("the call has ", n, " inputs, the queue holds at most ",
                                                   options_.max_requests, "; split the call"));
  }
  absl::StatusOr<Model*> model = OpenModel(id);
  if (!model.ok()) return model.status();
  if (absl::Status status = MakeRoom(**model, n, 1, priority, ended); !status.ok()) return status;
  (*model)->reserved += n;
  reserved_ += n;
  return absl::OkStatus();
}

void BatchQueue::Unreserve(ModelId id, size_t n) {
  const auto model = models_.find(id);
  if (model == models_.end() || model->second.closed) return;
  model->second.reserved -= n;
  reserved_ -= n;
}

absl::Status BatchQueue::MakeRoom(Model& model, size_t requests, size_t tokens, Priority priority,
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
    refused_full_ += requests;
    return absl::ResourceExhaustedError(absl::StrCat("the queue is full: ", size_, " requests of ", tokens_,
                                                     " tokens wait, ", reserved_,
                                                     " are prepared; limits: ", options_.max_requests, " requests, ",
                                                     options_.max_tokens, " tokens; try again later"));
  }
  for (Request* victim : eviction_.victims()) End(*victim, Ending::kEvicted, ended);
  return absl::OkStatus();
}

absl::Status BatchQueue::Admit(Model& model, std::span<Request* const> requests, TimePoint now,
                               std::vector<Ended>& ended) {
  size_t tokens = 0;
  for (const Request* request : requests) {
    tokens += request->ids.size();
    if (request->deadline <= now) {
      return absl::DeadlineExceededError("the deadline passed before the request could be queued");
    }
  }
  if (tokens > options_.max_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("the call has ", tokens, " tokens, the queue holds at most ",
                                                   options_.max_tokens, "; split the call"));
  }
  for (Request* request : requests) request->job_.work = model.speed.WorkOf(request->ids.size(), model.limits);
  if (absl::Status status = AdmitInTime(model, requests, now); !status.ok()) return status;
  return MakeRoom(model, requests.size(), tokens, requests[0]->priority, ended);
}

absl::Status BatchQueue::AdmitInTime(Model& model, std::span<Request* const> requests, TimePoint now) {
  for (Request* request : requests) request->tries_ = false;
  if (!options_.admission || !model.speed.costs().known()) return absl::OkStatus();
  Duration work{0}, longest{0};
  TimePoint deadline = now + options_.default_deadline;
  for (Request* request : requests) {
    deadline = std::min(deadline, request->deadline);
    if (options_.share_identical && twins_.Find(*request)) continue;
    work += request->job_.work;
    longest = std::max(longest, model.speed.Alone(request->ids.size()));
  }
  const double speed = static_cast<double>(options_.workers) * ShareOf(model);
  Duration before = UntilFree(now);
  const size_t rank = IndexOf(requests[0]->priority);
  for (size_t i = 0; i < rank; ++i) {
    before +=
        Duration(static_cast<int64_t>(static_cast<double>(model.queue.classes()[i].demand.total().count()) / speed));
  }
  const bool idle = size_ == 0 && before == Duration::zero();
  if (idle) {
    model.speed.Relax(now);
  } else {
    // It ends when its batch does, not when its own share of the work is done.
    before += model.speed.Delay();
  }
  const Duration alone = before + longest - (deadline - now);
  const Duration excess = std::max(
      alone, model.queue.classes()[rank].demand.Excess(Demand::JobOf(work, deadline, now), before, speed, now));
  if (excess <= Duration::zero()) return absl::OkStatus();
  if (idle && model.speed.Doubts(now)) {
    for (Request* request : requests) request->tries_ = true;
    return absl::OkStatus();
  }
  refused_late_ += requests.size();
  return absl::ResourceExhaustedError(
      absl::StrCat("overloaded: with ", size_, " requests waiting, a deadline would be missed by ",
                   Milliseconds(excess), " ms; try again later, another server, or with a later deadline"));
}

Duration BatchQueue::UntilFree(TimePoint now) const {
  if (free_at_.size() < options_.workers) return Duration::zero();
  return std::max(Duration::zero(), *std::min_element(free_at_.begin(), free_at_.end()) - now);
}

double BatchQueue::ShareOf(const Model& model) const {
  double all = 0;
  for (const auto& [id, other] : models_) {
    if (&other == &model || other.waiting > 0) all += other.limits.weight;
  }
  return model.limits.weight / all;
}

absl::Status BatchQueue::Push(std::span<Request* const> requests, TimePoint now, std::vector<Ended>& ended) {
  now = Later(now);
  if (requests.empty()) return absl::OkStatus();
  Unreserve(requests[0]->model, requests.size());
  absl::StatusOr<Model*> open = OpenModel(requests[0]->model);
  if (!open.ok()) return open.status();
  Model& model = **open;
  if (absl::Status status = Admit(model, requests, now, ended); !status.ok()) return status;
  for (Request* request : requests) {
    request->has_own_deadline_ = request->deadline != TimePoint::max();
    if (!request->has_own_deadline_) request->deadline = now + options_.default_deadline;
    request->accepted = now;
    request->sequence_ = next_sequence_++;
    request->leader_ = request->next_twin_ = nullptr;  // it may have run before
    if (!JoinLeader(model, *request)) Enter(model, *request, now);
  }
  return absl::OkStatus();
}

/// False if there is none; then the request leads.
bool BatchQueue::JoinLeader(Model& model, Request& request) {
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

/// The request waits from now on.
void BatchQueue::Enter(Model& model, Request& request, TimePoint now) {
  if (model.waiting == 0) model.served = std::max(model.served, served_);
  model.queue.Enter(request, now);
  size_ += 1;
  tokens_ += request.ids.size();
  model.tokens += request.ids.size();
  model.waiting += 1;
}

/// `next` goes on in the class, and with the skips, of the one whose place it took.
void BatchQueue::InheritTurn(Model& model, const Request& from, Request& next) {
  model.queue.Move(next, from.rank_);
  next.skipped_ = from.skipped_;
}

// ---- what goes out

/// The request waits no longer, neither in its class nor in a staged batch. Its twins are left alone.
void BatchQueue::Leave(Request& request) {
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
void BatchQueue::Forget(Request& request) {
  request.place_ = Request::Place::kNowhere;
  request.hash_ = 0;
}

bool BatchQueue::Remove(Request& request) {
  switch (request.place_) {
    case Request::Place::kNowhere:
    case Request::Place::kRunning:
      return false;
    case Request::Place::kTwin: {
      if (request.leader_->place_ != Request::Place::kRunning) {
        size_ -= 1;
        models_.at(request.model).waiting -= 1;
      }
      Twins::Leave(request);
      Forget(request);
      return true;
    }
    case Request::Place::kWaiting:
    case Request::Place::kStaged:
      break;
  }
  Leave(request);
  if (!request.next_twin_) {
    twins_.Close(request);
    Forget(request);
    return true;
  }
  Request* next = request.next_twin_;
  for (Request* twin = next; twin; twin = twin->next_twin_) {
    if (MoreUrgent()(twin, next)) next = twin;
  }
  twins_.Replace(request, *next);
  Model& model = models_.at(next->model);
  size_ -= 1;  // it waited as a twin
  model.waiting -= 1;
  Enter(model, *next, latest_);
  InheritTurn(model, request, *next);
  Forget(request);
  return true;
}

void BatchQueue::End(Request& request, Ending why, std::vector<Ended>& ended) {
  Remove(request);
  ended.push_back({&request, why});
}

void BatchQueue::Clear(Ending why, std::vector<Ended>& ended) {
  while (!staged_.empty()) Unstage(*staged_.back());
  for (auto& [id, model] : models_) {
    for (const ModelQueue::Class& own : model.queue.classes()) {
      while (!own.by_deadline.empty()) End(**own.by_deadline.begin(), why, ended);
    }
  }
}

/// It is expired, or cannot end in time any more.
bool BatchQueue::IsLate(const Model& model, const Request& request, TimePoint now) const {
  const Duration left = request.deadline - now;
  if (left <= Duration::zero() || !options_.admission || request.tries_) return left <= Duration::zero();
  const Duration alone = model.speed.Alone(request.ids.size());
  return static_cast<double>(left.count()) < kCertain * static_cast<double>(alone.count());
}

/// True, and the request is taken out, if it is late.
bool BatchQueue::DropIfLate(Model& model, Request& request, TimePoint now, std::vector<Ended>& ended) {
  if (!IsLate(model, request, now)) return false;
  model.speed.LearnMargin(true);
  End(request, request.deadline <= now ? Ending::kExpired : Ending::kTooLate, ended);
  return true;
}

void BatchQueue::DropLate(Model& model, TimePoint now, std::vector<Ended>& ended) {
  for (const ModelQueue::Class& own : model.queue.classes()) {
    while (!own.by_deadline.empty() && DropIfLate(model, **own.by_deadline.begin(), now, ended)) {
    }
  }
}

/// Sheds in favour of those that came later; who said how long the answer is of use keeps the place.
void BatchQueue::Shed(Model& model, TimePoint now, std::vector<Ended>& ended) {
  if (!model.overload.Overloaded(now)) return;
  const auto is_old = [&](const Request& request) { return now - request.accepted > options_.overload_target; };
  const auto has_newcomers = [&](const ModelQueue::Class& own) {
    return std::ranges::any_of(own.by_arrival,
                               [&](const ArrivalList& list) { return list.newest() && !is_old(*list.newest()); });
  };
  if (std::ranges::none_of(model.queue.classes(), has_newcomers)) return;
  for (size_t priority = kPriorities; priority-- > 0;) {
    const size_t before = ended.size();
    for (const ModelQueue::Class& own : model.queue.classes()) {
      Request* next = nullptr;
      for (Request* request = own.by_arrival[priority].oldest(); request && is_old(*request); request = next) {
        next = ArrivalList::After(*request);
        if (!request->has_own_deadline_) End(*request, Ending::kShed, ended);
      }
    }
    if (ended.size() > before) return;
  }
}

// ---- batches

BatchQueue::Models::iterator BatchQueue::NextModel() {
  auto best = models_.end();
  for (auto it = models_.begin(); it != models_.end(); ++it) {
    if (it->second.holds || it->second.queue.empty()) continue;
    if (best == models_.end() || it->second.served < best->second.served) best = it;
  }
  return best;
}

/// Chooses a batch and takes its requests out of the order; they still count as waiting.
void BatchQueue::Form(TimePoint now, Batch& batch, std::vector<Ended>& ended) {
  batch.Clear();
  for (auto& [id, model] : models_) {
    DropLate(model, now, ended);
    Shed(model, now, ended);
    model.queue.Promote(now, options_.max_priority_delay);
    model.holds = false;
  }
  TimePoint wait_until = TimePoint::max();
  for (auto next = NextModel(); next != models_.end(); next = NextModel()) {
    batch.model = next->first;
    if (FormOf(next->second, now, batch, ended)) return;
    wait_until = std::min(wait_until, batch.wait_until);
    next->second.holds = true;
    batch.Clear();
  }
  batch.wait_until = wait_until;
}

/// Looks at the first of those that wait, and chooses from them.
BatchFormer::Choice BatchQueue::Choose(const Model& model, TimePoint now) {
  looked_at_.clear();
  candidates_.clear();
  const size_t window = BatchFormer::Window(model.limits);
  for (const ModelQueue::Class& own : model.queue.classes()) {
    for (auto it = own.by_deadline.begin(); it != own.by_deadline.end() && looked_at_.size() < window; ++it) {
      looked_at_.push_back(*it);
      candidates_.push_back(
          {(*it)->ids.size(), (*it)->deadline, (*it)->job_.work, (*it)->skipped_ >= options_.max_skips});
    }
  }
  if (candidates_.empty()) return {};
  return former_.Choose(candidates_, model.limits, model.speed.costs(), now);
}

/// False if the model's batch had better wait for more, or nothing is left.
bool BatchQueue::FormOf(Model& model, TimePoint now, Batch& batch, std::vector<Ended>& ended) {
  BatchFormer::Choice choice;
  for (bool again = true; again;) {
    choice = Choose(model, now);
    if (choice.members.empty()) return false;
    // A long text may be late behind a short one that is not.
    again = false;
    for (const size_t i : choice.members) again |= DropIfLate(model, *looked_at_[i], now, ended);
  }
  for (const size_t i : choice.members) batch.requests.push_back(looked_at_[i]);
  batch.cost = choice.cost;
  batch.full = choice.full;
  if (Holds(batch, now, batch.wait_until)) return false;
  batch.wait_until = TimePoint::max();
  size_t passed = 0;
  for (const size_t i : choice.members) {
    for (; passed < i; ++passed) looked_at_[passed]->skipped_ += 1;
    ++passed;
    model.queue.Take(*looked_at_[i]);
    batch.longest = std::max(batch.longest, looked_at_[i]->ids.size());
  }
  served_ = model.served;
  batch.stats = {static_cast<uint32_t>(batch.requests.size()), static_cast<uint32_t>(choice.tokens),
                 static_cast<uint32_t>(choice.computed_tokens)};
  return true;
}

bool BatchQueue::Holds(const Batch& batch, TimePoint now, TimePoint& until) const {
  if (options_.max_queue_delay == Duration::zero() || batch.full) return false;
  for (const Request* request : batch.requests) {
    until = std::min({until, request->accepted + options_.max_queue_delay, request->deadline - 2 * batch.cost});
  }
  return until > now;
}

void BatchQueue::Run(TimePoint now, Batch& batch) {
  if (batch.requests.empty()) return;
  Model& model = models_.at(batch.model);
  for (Request* request : batch.requests) {
    request->place_ = Request::Place::kRunning;
    model.queue.Leave(*request);
    model.overload.Started(now - request->accepted, now);
    batch.work += request->job_.work;
    tokens_ -= request->ids.size();
    model.tokens -= request->ids.size();
    for (const Request* each = request; each; each = each->next_twin_) {
      size_ -= 1;
      model.waiting -= 1;
    }
  }
  batch.started = now;
  free_at_.push_back(now + batch.cost);
  model.served += static_cast<double>(batch.cost.count()) / model.limits.weight;
}

void BatchQueue::NextBatch(TimePoint now, Batch& batch, std::vector<Ended>& ended) {
  now = Later(now);
  while (!staged_.empty()) Unstage(*staged_.back());
  Form(now, batch, ended);
  Run(now, batch);
}

void BatchQueue::Stage(TimePoint now, Batch& batch, std::vector<Ended>& ended) {
  now = Later(now);
  Form(now, batch, ended);
  if (batch.requests.empty()) return;
  for (Request* request : batch.requests) {
    request->place_ = Request::Place::kStaged;
    request->batch_ = &batch;
  }
  batch.staged = true;
  staged_.push_back(&batch);
}

void BatchQueue::Unstage(Batch& batch) {
  // Of an emptied batch the model may be gone.
  for (Request* request : batch.requests) models_.at(request->model).queue.PutBack(*request);
  batch.requests.clear();
  batch.staged = false;
  batch.changed = true;
  std::erase(staged_, &batch);
}

/// Whether what waits would make a better batch.
bool BatchQueue::Better(const Model& model, const Batch& batch, TimePoint now) const {
  if (std::ranges::any_of(batch.requests, [&](const Request* r) { return IsLate(model, *r, now); })) return true;
  for (const ModelQueue::Class& own : model.queue.classes()) {
    if (own.by_deadline.empty()) continue;
    const Request& first = **own.by_deadline.begin();
    const Request& last = *batch.requests.back();
    return !batch.full || first.rank_ < last.rank_ || (first.rank_ == last.rank_ && MoreUrgent()(&first, &last));
  }
  return false;
}

bool BatchQueue::Start(TimePoint now, Batch& batch, std::vector<Ended>& ended) {
  now = Later(now);
  const bool stale = batch.requests.empty() || batch.changed;
  if (!stale && !Better(models_.at(batch.model), batch, now)) {
    std::erase(staged_, &batch);
    batch.staged = false;
    Run(now, batch);
    return true;
  }
  if (batch.staged) Unstage(batch);
  Form(now, batch, ended);
  Run(now, batch);
  return false;
}

void BatchQueue::Finished(TimePoint end, const Batch& batch, bool learn) {
  const Duration took = std::max(Duration::zero(), end - batch.started);
  Later(end);
  Model& model = models_.at(batch.model);
  free_at_.erase(std::find(free_at_.begin(), free_at_.end(), batch.started + batch.cost));
  model.served += static_cast<double>((took - batch.cost).count()) / model.limits.weight;
  if (learn) model.speed.Learn(batch, end, took, latest_);
  for (Request* request : batch.requests) {
    twins_.Close(*request);
    for (Request* each = request; each; each = each->next_twin_) Forget(*each);
  }
}

}  // namespace bertha::batcher
