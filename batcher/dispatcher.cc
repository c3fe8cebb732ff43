#include "batcher/dispatcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {

/// All but the constants guarded by the dispatcher's mutex; the runner also reads what only it writes.
struct Dispatcher::Worker {
  size_t index = 0;
  /// What runs, or is about to.
  std::unique_ptr<BatchRun> current;
  Encoder* encoder = nullptr;  // null if nothing runs
  std::shared_ptr<PassObserver> observer;
  /// What runs next.
  std::unique_ptr<BatchRun> next;
  bool staging = false;
  /// If it was given up, the requests of `current` have been answered.
  Watchdog::Pass pass;

  bool CanStage() const { return encoder && !next && !staging && !pass.given_up; }
};

/// On the worker's runner thread.
class Dispatcher::Supervisor final : public PassSupervisor {
 public:
  Supervisor(Dispatcher& dispatcher, Worker& worker) : dispatcher_(dispatcher), worker_(worker) {}

  void Begins() override {
    MutexLock lock(dispatcher_.mutex_);
    worker_.pass.Begin();
  }
  bool Returns() override {
    MutexLock lock(dispatcher_.mutex_);
    return worker_.pass.Return();
  }
  void Observe(const absl::Status& status, const BatchStats& batch, Duration time) override {
    const auto& on_failed_pass = dispatcher_.options_.on_failed_pass;
    if (!status.ok() && on_failed_pass) on_failed_pass(status);
    if (worker_.observer) worker_.observer->OnPass(status, batch, time);
  }

 private:
  Dispatcher& dispatcher_;
  Worker& worker_;
};

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(dispatcher_, other.dispatcher_);
  std::swap(model_, other.model_);
  std::swap(size_, other.size_);
  return *this;
}

Reservation::~Reservation() {
  if (dispatcher_) dispatcher_->Unreserve(model_, size_);
}

Dispatcher::Dispatcher(const DispatcherOptions& options, const Clock* clock)
    : options_(options),
      clock_(clock),
      queue_(options.queue),
      watchdog_(options.stuck_after, [this](bool counts) { Watch(counts); }) {
  if (options_.queue.workers > 0) StartWorkers(options_.queue.workers).IgnoreError();  // nobody has stopped it yet
}

Dispatcher::~Dispatcher() { Stop(); }

/// If there are none.
absl::Status Dispatcher::StartWorkers(size_t count) {
  MutexLock stop_lock(stop_mutex_);
  MutexLock lock(mutex_);
  if (!workers_.empty()) return absl::OkStatus();
  if (stopping_) return StatusOf(Ending::kStopped);
  queue_.SetWorkers(count);
  for (size_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->index = i;
  }
  for (const auto& worker : workers_) {
    worker_threads_.emplace_back([this, &worker = *worker, count] { RunnerLoop(worker, count); });
    if (options_.stage_ahead) worker_threads_.emplace_back([this, &worker = *worker] { StagerLoop(worker); });
  }
  return absl::OkStatus();
}

size_t Dispatcher::workers() const {
  MutexLock lock(mutex_);
  return workers_.size();
}

absl::StatusOr<ModelId> Dispatcher::AddModel(std::vector<std::unique_ptr<Encoder>> replicas, ModelLimits limits,
                                             CostTable costs, std::shared_ptr<PassObserver> observer) {
  if (replicas.empty()) return absl::InvalidArgumentError("the model has no replicas");
  if (absl::Status status = Validate(limits); !status.ok()) return status;
  if (replicas.front()->Describe().output_width == 0) {
    return absl::InvalidArgumentError("the encoder's output_width must be at least 1");
  }
  const size_t longest = replicas.front()->Describe().max_sequence_length;
  if (limits.max_batch_tokens < longest) {
    return absl::InvalidArgumentError(absl::StrCat("the batch budget of ", limits.max_batch_tokens,
                                                   " tokens is below the model's longest text of ", longest,
                                                   " tokens; raise batch.max_tokens"));
  }
  limits.pads = replicas.front()->Describe().pads;
  if (absl::Status status = StartWorkers(replicas.size()); !status.ok()) return status;
  MutexLock lock(mutex_);
  if (replicas.size() != workers_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has ", replicas.size(), " replicas for ", workers_.size(), " workers"));
  }
  const ModelId id = queue_.AddModel(limits, std::move(costs));
  models_.emplace(id, Model{.replicas = std::move(replicas), .observer = std::move(observer)});
  return id;
}

void Dispatcher::RemoveModel(ModelId id) {
  Model removed;  // destroyed after the lock
  MutexLock lock(mutex_);
  queue_.CloseModel(id);
  const auto it = models_.find(id);
  while (queue_.Waits(id) || it->second.running > 0) work_left_.Wait(mutex_);
  removed = std::move(it->second);
  models_.erase(it);
  queue_.EraseModel(id);
}

CostTable Dispatcher::Costs(ModelId id) const {
  MutexLock lock(mutex_);
  return queue_.costs(id);
}

absl::StatusOr<Reservation> Dispatcher::Reserve(ModelId model, size_t n, Priority priority) {
  MutexLock lock(mutex_);
  if (stopping_) return StatusOf(Ending::kStopped);
  if (AllStuck()) return StatusOf(Ending::kStuck);
  const absl::Status status = queue_.Reserve(model, n, priority, ended_);
  FlushEnded();
  if (!status.ok()) return status;
  return Reservation(this, model, n);
}

void Dispatcher::Unreserve(ModelId model, size_t n) {
  MutexLock lock(mutex_);
  queue_.Unreserve(model, n);
}

absl::Status Dispatcher::Submit(Reservation reservation, std::span<Request* const> requests) {
  if (options_.queue.share_identical) {
    for (Request* request : requests) Twins::Prepare(*request);
  }
  MutexLock lock(mutex_);
  const auto of_model = [&](const Request* request) { return request->model == reservation.model_; };
  if (reservation.dispatcher_ != this || reservation.size_ != requests.size() ||
      !std::ranges::all_of(requests, of_model)) {
    return absl::InternalError("the reservation is not for these requests");
  }
  reservation.dispatcher_ = nullptr;  // Push uses it up.
  if (stopping_ || AllStuck()) {
    queue_.Unreserve(reservation.model_, reservation.size_);
    return StatusOf(stopping_ ? Ending::kStopped : Ending::kStuck);
  }
  const absl::Status status = queue_.Push(requests, clock_->Now(), ended_);
  FlushEnded();
  if (status.ok()) Wake();
  return status;
}

/// Work came, or a worker became busy.
void Dispatcher::Wake() {
  // One batch may take everything: waking one runner is enough, and it wakes the next if work is left.
  if (idle_ > 0) {
    work_arrived_.NotifyOne();
  } else if (queue_.unstaged() > 0 && std::ranges::any_of(workers_, [](const auto& w) { return w->CanStage(); })) {
    stage_wanted_.NotifyAll();
  }
}

void Dispatcher::Cancel(std::span<Request* const> requests) {
  // Handed over under the mutex: Stop must not see the queue without the request before its outcome is on its way.
  MutexLock lock(mutex_);
  for (Request* request : requests) {
    if (!queue_.Remove(*request)) continue;
    ended_.push_back({request, request->deadline <= clock_->Now() ? Ending::kExpired : Ending::kCancelled});
  }
  FlushEnded();
}

void Dispatcher::FlushEnded() {
  if (ended_.empty()) return;
  std::unique_ptr<BatchRun> run = completion_.NewRun();
  run->ended.swap(ended_);
  completion_.Deliver(std::move(run));
  work_left_.NotifyAll();
}

// ---- runners

/// Waits for work; false if there will be none. The worker then has it, and its encoder.
bool Dispatcher::NextWork(Worker& worker) {
  MutexLock lock(mutex_);
  while (true) {
    while (worker.staging) stage_done_.Wait(mutex_);
    if (TakeBatch(worker)) return true;
    const TimePoint wait_until = worker.current->batch.wait_until;
    if (!queue_.empty() && wait_until == TimePoint::max()) continue;  // what is left was only now freed
    if (stopping_ && queue_.empty()) return false;
    AwaitWork(wait_until);
  }
}

/// False if nothing is to be run now.
bool Dispatcher::TakeBatch(Worker& worker) {
  bool staged = false;
  if (worker.next) {
    worker.current = std::move(worker.next);
    staged = queue_.Start(clock_->Now(), worker.current->batch, ended_);
  } else {
    if (!worker.current) worker.current = completion_.NewRun();
    queue_.NextBatch(clock_->Now(), worker.current->batch, ended_);
  }
  FlushEnded();
  const Batch& batch = worker.current->batch;
  if (batch.requests.empty()) return false;
  if (!staged) worker.current->staged = false;
  Model& model = models_.at(batch.model);
  running_ += 1;
  model.running += 1;
  worker.encoder = model.replicas[worker.index].get();
  worker.observer = model.observer;
  if (queue_.unstaged() > 0) Wake();
  return true;
}

/// `until` is max() if only work that arrives makes a difference.
void Dispatcher::AwaitWork(TimePoint until) {
  idle_ += 1;
  if (until == TimePoint::max()) {
    work_arrived_.Wait(mutex_);
  } else {
    work_arrived_.WaitUntil(mutex_, std::chrono::steady_clock::now() + (until - clock_->Now()));
  }
  idle_ -= 1;
}

void Dispatcher::RunnerLoop(Worker& worker, size_t workers) {
  if (options_.on_worker_start) options_.on_worker_start(worker.index, workers);
  Supervisor supervisor(*this, worker);
  while (NextWork(worker)) {
    worker.current->Run(*worker.encoder, *clock_, supervisor) ? EndBatch(worker) : EndGivenUp(worker);
  }
}

/// From here on the worker does not touch the batch's encoder, which may be destroyed.
void Dispatcher::Leave(Worker& worker) {
  running_ -= 1;
  models_.at(worker.current->batch.model).running -= 1;
  worker.encoder = nullptr;
  work_left_.NotifyAll();
}

void Dispatcher::EndBatch(Worker& worker) {
  const BatchRun& run = *worker.current;
  const double ns = static_cast<double>((run.finished() - run.started()).count());
  const double ns_per_token = ns / std::max<uint32_t>(1, run.batch.stats.tokens);
  MutexLock lock(mutex_);
  ns_per_token_ = ns_per_token_ == 0 ? ns_per_token : 0.8 * ns_per_token_ + 0.2 * ns_per_token;
  queue_.Finished(run.finished(), run.batch, !run.ran_singly());
  Leave(worker);
  completion_.Deliver(std::move(worker.current));
}

void Dispatcher::EndGivenUp(Worker& worker) {
  if (worker.observer) worker.observer->OnReturned();
  MutexLock lock(mutex_);
  Leave(worker);
  worker.pass.given_up = false;
  worker.current.reset();
  watchdog_.Wake();  // it tells that the worker is back
}

// ---- stagers

void Dispatcher::StagerLoop(Worker& worker) {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!worker.CanStage() || queue_.unstaged() == 0) {
      stage_wanted_.Wait(mutex_);
      continue;
    }
    std::unique_ptr<BatchRun> run = completion_.NewRun();
    queue_.Stage(clock_->Now(), run->batch, ended_);
    FlushEnded();
    if (run->batch.requests.empty()) {  // what waits may wait on
      completion_.Recycle(std::move(run));
      stage_wanted_.Wait(mutex_);
      continue;
    }
    Model& model = models_.at(run->batch.model);
    model.running += 1;  // keeps the encoder
    Encoder& encoder = *model.replicas[worker.index];
    worker.staging = true;
    run->slot = 1 - worker.current->slot;
    run->Pack();
    mutex_.Unlock();
    run->Stage(encoder);
    mutex_.Lock();
    model.running -= 1;
    work_left_.NotifyAll();
    worker.staging = false;
    worker.next = std::move(run);
    stage_done_.NotifyAll();
  }
}

// ---- the watchdog

bool Dispatcher::AllStuck() const {
  return !workers_.empty() && std::ranges::all_of(workers_, [](const auto& worker) { return worker->pass.given_up; });
}

bool Dispatcher::healthy() const {
  MutexLock lock(mutex_);
  return !AllStuck();
}

/// On the watchdog's thread.
void Dispatcher::Watch(bool counts) {
  MutexLock lock(mutex_);
  for (const auto& worker : workers_) {
    if (counts && watchdog_.GivesUp(worker->pass)) GiveUp(*worker);
  }
  if (AllStuck()) {
    queue_.Clear(Ending::kStuck, ended_);
    FlushEnded();
  }
  ReportHealth();
}

/// Tells whoever wants to know. The mutex is free meanwhile.
void Dispatcher::ReportHealth() {
  if (!stuck_observers_.empty()) {
    const std::vector<std::shared_ptr<PassObserver>> observers = std::exchange(stuck_observers_, {});
    mutex_.Unlock();
    for (const auto& observer : observers) observer->OnStuck();
    mutex_.Lock();
  }
  const bool healthy = !AllStuck();
  if (healthy == reported_healthy_) return;
  reported_healthy_ = healthy;
  if (!options_.on_health) return;
  mutex_.Unlock();
  options_.on_health();
  mutex_.Lock();
}

/// Answers the requests of a forward pass that does not return. Its buffers stay with it until it does.
void Dispatcher::GiveUp(Worker& worker) {
  if (worker.observer) stuck_observers_.push_back(worker.observer);
  const Batch& batch = worker.current->batch;
  queue_.Finished(clock_->Now(), batch, false);
  for (Request* request : batch.requests) {
    for (Request* each = request; each; each = each->twin()) ended_.push_back({each, Ending::kStuck});
  }
  FlushEnded();
}

// ---- all of it

void Dispatcher::Stop() {
  MutexLock stop_lock(stop_mutex_);
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    queue_.Clear(Ending::kStopped, ended_);
    FlushEnded();
    work_arrived_.NotifyAll();
    stage_wanted_.NotifyAll();
    work_left_.NotifyAll();
  }
  for (std::thread& thread : worker_threads_) thread.join();
  worker_threads_.clear();
  watchdog_.Stop();
  completion_.Stop();
}

Dispatcher::Load Dispatcher::load() const {
  MutexLock lock(mutex_);
  return {queue_.size(), queue_.tokens(), running_};
}

Dispatcher::Rejections Dispatcher::rejections() const {
  Rejections rejections = {.expired = completion_.ended(Ending::kExpired),
                           .too_late = completion_.ended(Ending::kTooLate),
                           .shed = completion_.ended(Ending::kShed),
                           .evicted = completion_.ended(Ending::kEvicted),
                           .cancelled = completion_.ended(Ending::kCancelled),
                           .stopped = completion_.ended(Ending::kStopped),
                           .stuck = completion_.ended(Ending::kStuck)};
  MutexLock lock(mutex_);
  rejections.queue_full = queue_.refused_full();
  rejections.not_in_time = queue_.refused_late();
  return rejections;
}

Duration Dispatcher::RetryAfter() const {
  constexpr auto kUnknown = std::chrono::milliseconds(20);  // no batch has finished: nothing is known of the speed
  MutexLock lock(mutex_);
  if (ns_per_token_ == 0) return kUnknown;
  const double ns = ns_per_token_ * static_cast<double>(queue_.tokens()) / 2 / static_cast<double>(workers_.size());
  const auto wait = Duration(static_cast<int64_t>(std::min(ns, 1e9)));
  return std::clamp<Duration>(wait, std::chrono::milliseconds(1), std::chrono::seconds(1));
}

}  // namespace bertha::batcher
