#include "batcher/batch_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

/// A request is dropped as too late only if so much of its estimated time does not fit any more: estimates err.
constexpr double kCertain = 0.9;

double Milliseconds(Duration time) { return static_cast<double>(time.count()) * 1e-6; }

}  // namespace

// ---- what comes in

TimePoint BatchQueue::Later(TimePoint now) { return latest_ = std::max(latest_, now); }

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
  return backlog_.MakeRoom(model, requests.size(), tokens, requests[0]->priority, now, ended);
}

BatchQueue::Need BatchQueue::NeedOf(const Model& model, std::span<Request* const> requests, TimePoint now) const {
  Need need{.deadline = now + options_.default_deadline};
  for (Request* request : requests) {
    need.deadline = std::min(need.deadline, request->deadline);
    if (backlog_.HasLike(*request)) continue;
    need.work += request->job_.work;
    need.longest = std::max(need.longest, model.speed.Alone(request->ids.size()));
  }
  return need;
}

/// How long it takes until a batch can start and what is of higher classes is done.
Duration BatchQueue::TimeBefore(const Model& model, size_t rank, double speed, TimePoint now) const {
  Duration before = UntilFree(now);
  for (size_t i = 0; i < rank; ++i) {
    const Duration work = model.queue.classes()[i].demand.total();
    before += Duration(static_cast<int64_t>(static_cast<double>(work.count()) / speed));
  }
  return before;
}

absl::Status BatchQueue::AdmitInTime(Model& model, std::span<Request* const> requests, TimePoint now) {
  for (Request* request : requests) request->tries_ = false;
  if (!options_.admission || !model.speed.costs().known()) return absl::OkStatus();
  const auto [work, longest, deadline] = NeedOf(model, requests, now);
  const double speed = static_cast<double>(options_.workers) * backlog_.ShareOf(model);
  const size_t rank = IndexOf(requests[0]->priority);
  Duration before = TimeBefore(model, rank, speed, now);
  const bool idle = empty() && before == Duration::zero();
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
      absl::StrCat("overloaded: with ", size(), " requests waiting, a deadline would be missed by ",
                   Milliseconds(excess), " ms; try again later, another server, or with a later deadline"));
}

Duration BatchQueue::UntilFree(TimePoint now) const {
  if (free_at_.size() < options_.workers) return Duration::zero();
  return std::max(Duration::zero(), *std::min_element(free_at_.begin(), free_at_.end()) - now);
}

absl::Status BatchQueue::Push(std::span<Request* const> requests, TimePoint now, std::vector<Ended>& ended) {
  now = Later(now);
  if (requests.empty()) return absl::OkStatus();
  Unreserve(requests[0]->model, requests.size());
  absl::StatusOr<Model*> open = backlog_.OpenModel(requests[0]->model);
  if (!open.ok()) return open.status();
  Model& model = **open;
  if (absl::Status status = Admit(model, requests, now, ended); !status.ok()) return status;
  for (Request* request : requests) backlog_.Add(model, *request, now);
  return absl::OkStatus();
}

// ---- what goes out

void BatchQueue::Clear(Ending why, std::vector<Ended>& ended) {
  while (!staged_.empty()) Unstage(*staged_.back());
  backlog_.EndAll(why, latest_, ended);
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
  backlog_.End(request, request.deadline <= now ? Ending::kExpired : Ending::kTooLate, now, ended);
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
        if (!request->has_own_deadline_) backlog_.End(*request, Ending::kShed, now, ended);
      }
    }
    if (ended.size() > before) return;
  }
}

// ---- batches

/// Chooses a batch and takes its requests out of the order; they still count as waiting.
void BatchQueue::Form(TimePoint now, Batch& batch, std::vector<Ended>& ended) {
  batch.Clear();
  for (auto& [id, model] : backlog_.models()) {
    DropLate(model, now, ended);
    Shed(model, now, ended);
    model.queue.Promote(now, options_.max_priority_delay);
    model.holds = false;
  }
  TimePoint wait_until = TimePoint::max();
  for (auto next = backlog_.NextModel(); next != backlog_.models().end(); next = backlog_.NextModel()) {
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
  backlog_.Chose(model);
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
  Model& model = backlog_.model(batch.model);
  for (Request* request : batch.requests) {
    backlog_.Start(model, *request);
    model.overload.Started(now - request->accepted, now);
    batch.work += request->job_.work;
  }
  batch.started = now;
  free_at_.push_back(now + batch.cost);
  Backlog::Charge(model, batch.cost);
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
  for (Request* request : batch.requests) backlog_.model(request->model).queue.PutBack(*request);
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
  if (!stale && !Better(backlog_.model(batch.model), batch, now)) {
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
  Model& model = backlog_.model(batch.model);
  free_at_.erase(std::find(free_at_.begin(), free_at_.end(), batch.started + batch.cost));
  Backlog::Charge(model, took - batch.cost);
  if (learn) model.speed.Learn(batch, end, took, latest_);
  for (Request* request : batch.requests) backlog_.Finish(*request);
}

}  // namespace bertha::batcher
