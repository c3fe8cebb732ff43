#include "batcher/dispatcher.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

absl::Status Stopped() { return absl::UnavailableError("the server is shutting down; try another one"); }

absl::Status Stuck() { return absl::UnavailableError("the engine does not answer; try another server"); }

/// What a request gets that left the queue without being computed.
absl::Status StatusOf(Ending why) {
  switch (why) {
    case Ending::kExpired:
      return absl::DeadlineExceededError("the deadline passed while the request waited; it was not computed");
    case Ending::kTooLate:
      return absl::DeadlineExceededError("too late to be computed by the deadline; it was not tried");
    case Ending::kShed:
      return absl::ResourceExhaustedError("overloaded: it waited too long and was not computed; try again later");
    case Ending::kEvicted:
      return absl::ResourceExhaustedError(
          "overloaded: it made room for a higher priority or another model; try again later");
    case Ending::kCancelled:
      return absl::CancelledError("cancelled by the caller; it was not computed");
    case Ending::kStopped:
      return Stopped();
    case Ending::kStuck:
      return Stuck();
  }
  return absl::InternalError("unknown ending");
}

/// Calls an encoder step; what it throws becomes a Status, since nothing may leave a worker thread.
template <class Step>
absl::Status Guarded(Step&& step) {
  try {
    return step();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the engine threw: ", error.what()));
  } catch (...) {
    return absl::InternalError("the engine threw something that is no exception");
  }
}

size_t RowsOf(const Request& request, const EncoderDescription& encoder) {
  return encoder.row_per_token ? request.ids.size() : 1;
}

absl::Status CheckShape(const EncoderOutput& output, size_t rows, size_t width) {
  if (output.rows == rows && output.width == width && output.values.size() >= rows * width) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the engine returned [", output.rows, ", ", output.width, "], expected [", rows, ", ", width, "]"));
}

}  // namespace

/// A batch on its way from the queue to its listeners. Reused, so that the steady state allocates nothing.
struct Dispatcher::Work {
  Batch batch;
  /// The packed copy that the encoder stages.
  std::vector<int32_t> ids, type_ids, cu_seqlens;
  EncoderOutput output;
  /// As output.values, filled only after a failed batch, when each request ran alone.
  std::vector<float> single_values;
  /// [requests] status of each.
  std::vector<absl::Status> statuses;
  /// [requests + 1]: the outputs of request i begin at value value_offsets[i].
  std::vector<size_t> value_offsets;
  bool ran_singly = false;
  TimePoint started, finished;
  /// Requests that end without having been computed.
  std::vector<Ended> ended;
  /// The encoder's slot that it is staged in, and how that went.
  int slot = 0;
  absl::Status staged;

  void Clear() {
    batch.Clear();
    statuses.clear();
    ended.clear();
    ran_singly = false;
    started = finished = TimePoint();
  }

  /// Packs requests [begin, end) of the batch.
  void Pack(size_t begin, size_t end) {
    ids.clear();
    type_ids.clear();
    cu_seqlens.assign(1, 0);
    for (size_t i = begin; i < end; ++i) {
      const Request& request = *batch.requests[i];
      ids.insert(ids.end(), request.ids.begin(), request.ids.end());
      type_ids.insert(type_ids.end(), request.type_ids.begin(), request.type_ids.end());
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
  }
  PackedBatch packed() const { return {ids, type_ids, cu_seqlens}; }

  void PlaceOutputs(const EncoderDescription& encoder) {
    value_offsets.assign(1, 0);
    for (const Request* request : batch.requests) {
      value_offsets.push_back(value_offsets.back() + RowsOf(*request, encoder) * encoder.output_width);
    }
  }

  std::span<const float> output_of(size_t i) const {
    return std::span(ran_singly ? single_values : output.values)
        .subspan(value_offsets[i], value_offsets[i + 1] - value_offsets[i]);
  }
};

/// All but the constants guarded by the dispatcher's mutex; the runner also reads what only it writes.
struct Dispatcher::Worker {
  size_t index = 0;
  /// What runs, or is about to.
  std::unique_ptr<Work> work;
  Encoder* encoder = nullptr;  // null if nothing runs
  std::shared_ptr<PassObserver> observer;
  /// What runs next.
  std::unique_ptr<Work> next;
  bool staging = false;
  /// Whether the encoder is busy with `work`, and how often the watchdog has looked on.
  bool busy = false;
  int looks = 0;
  /// Its requests have been answered by the watchdog.
  bool given_up = false;

  bool CanStage() const { return encoder && !next && !staging && !given_up; }
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
    : options_(options), clock_(clock), queue_(options.queue) {
  {
    MutexLock lock(stop_mutex_);
    completion_thread_ = std::thread([this] { CompletionLoop(); });
    watchdog_thread_ = std::thread([this] { WatchdogLoop(); });
  }
  if (options_.queue.workers > 0) StartWorkers(options_.queue.workers).IgnoreError();  // nobody has stopped it yet
}

Dispatcher::~Dispatcher() { Stop(); }

/// If there are none.
absl::Status Dispatcher::StartWorkers(size_t count) {
  MutexLock stop_lock(stop_mutex_);
  MutexLock lock(mutex_);
  if (!workers_.empty()) return absl::OkStatus();
  if (stopping_) return Stopped();
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
  if (stopping_) return Stopped();
  if (AllStuck()) return Stuck();
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
    return stopping_ ? Stopped() : Stuck();
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
  std::unique_ptr<Work> work = TakeSpare();
  work->ended.swap(ended_);
  Finish(std::move(work));
  work_left_.NotifyAll();
}

// ---- runners

/// Waits for work; false if there will be none. The worker then has it, and its encoder.
bool Dispatcher::NextWork(Worker& worker) {
  MutexLock lock(mutex_);
  while (true) {
    while (worker.staging) stage_done_.Wait(mutex_);
    bool staged = false;
    if (worker.next) {
      worker.work = std::move(worker.next);
      staged = queue_.Start(clock_->Now(), worker.work->batch, ended_);
    } else {
      if (!worker.work) worker.work = TakeSpare();
      queue_.NextBatch(clock_->Now(), worker.work->batch, ended_);
    }
    FlushEnded();
    Batch& batch = worker.work->batch;
    if (!batch.requests.empty()) {
      if (!staged) worker.work->staged = absl::UnknownError("");  // not yet
      Model& model = models_.at(batch.model);
      running_ += 1;
      model.running += 1;
      worker.encoder = model.replicas[worker.index].get();
      worker.observer = model.observer;
      if (queue_.unstaged() > 0) Wake();
      return true;
    }
    if (!queue_.empty() && batch.wait_until == TimePoint::max()) continue;  // what is left was only now freed
    if (stopping_ && queue_.empty()) return false;
    idle_ += 1;
    if (batch.wait_until == TimePoint::max()) {
      work_arrived_.Wait(mutex_);
    } else {
      work_arrived_.WaitUntil(mutex_, std::chrono::steady_clock::now() + (batch.wait_until - clock_->Now()));
    }
    idle_ -= 1;
  }
}

void Dispatcher::RunnerLoop(Worker& worker, size_t workers) {
  if (options_.on_worker_start) options_.on_worker_start(worker.index, workers);
  while (NextWork(worker)) {
    RunBatch(worker) ? EndBatch(worker) : EndGivenUp(worker);
  }
}

/// Calls the encoder while the watchdog looks on. False if it was given up meanwhile: the requests are gone then.
template <class Steps>
bool Dispatcher::Watched(Worker& worker, absl::Status& status, Steps&& steps) {
  {
    MutexLock lock(mutex_);
    worker.busy = true;
    worker.looks = 0;
  }
  status = Guarded(std::forward<Steps>(steps));
  MutexLock lock(mutex_);
  worker.busy = false;
  return !worker.given_up;
}

bool Dispatcher::RunBatch(Worker& worker) {
  Encoder& encoder = *worker.encoder;
  Work& work = *worker.work;
  const size_t n = work.batch.requests.size(), width = encoder.Describe().output_width;
  work.PlaceOutputs(encoder.Describe());
  work.started = clock_->Now();
  const bool staged = work.staged.ok();
  if (!staged) work.Pack(0, n);
  absl::Status status;
  const bool returned = Watched(worker, status, [&] {
    if (!staged) {
      if (absl::Status failed = encoder.Stage(work.packed(), work.slot); !failed.ok()) return failed;
    }
    return encoder.Run(work.slot, work.output);
  });
  if (!returned) return false;
  if (status.ok()) status = CheckShape(work.output, work.value_offsets[n] / width, width);
  work.statuses.assign(n, status);
  Observe(worker, status, work.started);
  if (!status.ok() && n > 1 && !RunOneByOne(worker)) return false;
  work.finished = clock_->Now();
  return true;
}

bool Dispatcher::RunOneByOne(Worker& worker) {
  Encoder& encoder = *worker.encoder;
  Work& work = *worker.work;
  const size_t n = work.batch.requests.size(), width = encoder.Describe().output_width;
  work.ran_singly = true;
  work.single_values.assign(work.value_offsets[n], 0);
  for (size_t i = 0; i < n; ++i) {
    absl::Status& status = work.statuses[i];
    if (work.batch.requests[i]->deadline <= clock_->Now()) {
      status = absl::DeadlineExceededError("the deadline passed before the request could be run again");
      continue;
    }
    work.Pack(i, i + 1);
    const TimePoint began = clock_->Now();
    const bool returned = Watched(worker, status, [&] {
      if (absl::Status failed = encoder.Stage(work.packed(), work.slot); !failed.ok()) return failed;
      return encoder.Run(work.slot, work.output);
    });
    if (!returned) return false;
    const size_t at = work.value_offsets[i], size = work.value_offsets[i + 1] - at;
    if (status.ok()) status = CheckShape(work.output, size / width, width);
    Observe(worker, status, began);
    if (status.ok())
      std::copy_n(work.output.values.begin(), size, work.single_values.begin() + static_cast<ptrdiff_t>(at));
  }
  return true;
}

void Dispatcher::Observe(const Worker& worker, const absl::Status& status, TimePoint began) {
  if (!status.ok() && options_.on_failed_pass) options_.on_failed_pass(status);
  if (worker.observer) worker.observer->OnPass(status, clock_->Now() - began);
}

/// From here on the worker does not touch the batch's encoder, which may be destroyed.
void Dispatcher::Leave(Worker& worker) {
  running_ -= 1;
  models_.at(worker.work->batch.model).running -= 1;
  worker.encoder = nullptr;
  work_left_.NotifyAll();
}

void Dispatcher::EndBatch(Worker& worker) {
  Work& work = *worker.work;
  const double ns = static_cast<double>((work.finished - work.started).count());
  const double ns_per_token = ns / std::max<uint32_t>(1, work.batch.stats.tokens);
  MutexLock lock(mutex_);
  ns_per_token_ = ns_per_token_ == 0 ? ns_per_token : 0.8 * ns_per_token_ + 0.2 * ns_per_token;
  queue_.Finished(work.finished, work.batch, !work.ran_singly);
  Leave(worker);
  Finish(std::move(worker.work));
}

void Dispatcher::EndGivenUp(Worker& worker) {
  if (worker.observer) worker.observer->OnReturned();
  MutexLock lock(mutex_);
  Leave(worker);
  worker.given_up = false;
  worker.work.reset();
  watchdog_wake_.NotifyAll();  // it tells that the worker is back
}

// ---- stagers

void Dispatcher::StagerLoop(Worker& worker) {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!worker.CanStage() || queue_.unstaged() == 0) {
      stage_wanted_.Wait(mutex_);
      continue;
    }
    std::unique_ptr<Work> work = TakeSpare();
    queue_.Stage(clock_->Now(), work->batch, ended_);
    FlushEnded();
    if (work->batch.requests.empty()) {  // what waits may wait on
      Recycle(std::move(work));
      stage_wanted_.Wait(mutex_);
      continue;
    }
    Model& model = models_.at(work->batch.model);
    model.running += 1;  // keeps the encoder
    Encoder& encoder = *model.replicas[worker.index];
    worker.staging = true;
    work->slot = 1 - worker.work->slot;
    work->Pack(0, work->batch.requests.size());  // now: a request that is cancelled may be gone at any time
    mutex_.Unlock();
    work->staged = Guarded([&] { return encoder.Stage(work->packed(), work->slot); });
    mutex_.Lock();
    model.running -= 1;
    work_left_.NotifyAll();
    worker.staging = false;
    worker.next = std::move(work);
    stage_done_.NotifyAll();
  }
}

// ---- the watchdog

bool Dispatcher::AllStuck() const {
  return !workers_.empty() && std::ranges::all_of(workers_, [](const auto& worker) { return worker->given_up; });
}

bool Dispatcher::healthy() const {
  MutexLock lock(mutex_);
  return !AllStuck();
}

/// Counts its own looks rather than time: a machine that stood still, or a clock that jumped, is not the engine's
/// fault. Looks come at fixed times, so that many of them make no delay.
void Dispatcher::WatchdogLoop() {
  constexpr Duration kMostBetween = std::chrono::milliseconds(100);
  const Duration between = std::min(options_.stuck_after / 4, kMostBetween);
  const auto enough_looks = (options_.stuck_after + between - Duration(1)) / between;
  MutexLock lock(mutex_);
  auto next_look = std::chrono::steady_clock::now() + between;
  while (!workers_stopped_) {
    watchdog_wake_.WaitUntil(mutex_, next_look);
    if (const auto now = std::chrono::steady_clock::now(); now >= next_look) {
      next_look = std::max(next_look, now - between) + between;
      for (const auto& worker : workers_) {
        if (worker->busy && !worker->given_up && ++worker->looks > enough_looks) GiveUp(*worker);
      }
    }
    if (AllStuck()) {
      queue_.Clear(Ending::kStuck, ended_);
      FlushEnded();
    }
    ReportHealth();
  }
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
  if (healthy == reported_healthy_ || workers_stopped_) return;
  reported_healthy_ = healthy;
  if (!options_.on_health) return;
  mutex_.Unlock();
  options_.on_health();
  mutex_.Lock();
}

/// Answers the requests of a forward pass that does not return. Its buffers stay with it until it does.
void Dispatcher::GiveUp(Worker& worker) {
  worker.given_up = true;
  if (worker.observer) stuck_observers_.push_back(worker.observer);
  Batch& batch = worker.work->batch;
  queue_.Finished(clock_->Now(), batch, false);
  for (Request* request : batch.requests) {
    for (Request* each = request; each; each = each->twin()) ended_.push_back({each, Ending::kStuck});
  }
  FlushEnded();
}

// ---- outcomes

std::unique_ptr<Dispatcher::Work> Dispatcher::TakeSpare() {
  std::unique_ptr<Work> work;
  {
    MutexLock lock(completion_mutex_);
    if (!spare_.empty()) {
      work = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (!work) work = std::make_unique<Work>();
  work->Clear();
  return work;
}

void Dispatcher::Recycle(std::unique_ptr<Work> work) {
  MutexLock lock(completion_mutex_);
  spare_.push_back(std::move(work));
}

void Dispatcher::Finish(std::unique_ptr<Work> work) {
  MutexLock lock(completion_mutex_);
  completed_.push_back(std::move(work));
  completion_arrived_.NotifyOne();
}

void Dispatcher::CompletionLoop() {
  std::vector<std::unique_ptr<Work>> mine;
  while (true) {
    {
      MutexLock lock(completion_mutex_);
      for (auto& work : mine) spare_.push_back(std::move(work));
      mine.clear();
      while (completed_.empty() && !workers_gone_) completion_arrived_.Wait(completion_mutex_);
      if (completed_.empty()) return;
      mine.swap(completed_);
    }
    for (const auto& work : mine) Deliver(*work);
  }
}

void Dispatcher::Deliver(const Work& work) {
  for (const Ended& ended : work.ended) {
    ended.request->listener->OnDone(*ended.request, Outcome{StatusOf(ended.why), {}, {}, {}, {}});
  }
  for (size_t i = 0; i < work.batch.requests.size(); ++i) {
    Outcome outcome{work.statuses[i], {}, work.started, work.finished, work.batch.stats};
    if (outcome.status.ok()) outcome.output = work.output_of(i);
    for (Request* request = work.batch.requests[i]; request;) {
      Request* next = request->twin();  // `request` is its owner's again
      outcome.started = std::max(work.started, request->accepted);
      request->listener->OnDone(*request, outcome);
      request = next;
    }
  }
}

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
  if (!watchdog_thread_.joinable()) return;
  for (std::thread& thread : worker_threads_) thread.join();
  {
    MutexLock lock(mutex_);
    workers_stopped_ = true;
    watchdog_wake_.NotifyAll();
  }
  watchdog_thread_.join();
  {
    MutexLock lock(completion_mutex_);
    workers_gone_ = true;
    completion_arrived_.NotifyAll();
  }
  completion_thread_.join();
}

Dispatcher::Load Dispatcher::load() const {
  MutexLock lock(mutex_);
  return {queue_.size(), queue_.tokens(), running_};
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
