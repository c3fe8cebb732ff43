#include "batcher/dispatcher.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

absl::Status Stopped() { return absl::UnavailableError("the server is shutting down; try another one"); }

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
  /// What `batch.expired` gets.
  absl::Status expired_status;

  void Clear() {
    batch.Clear();
    statuses.clear();
    ran_singly = false;
    started = finished = TimePoint();
    expired_status = absl::DeadlineExceededError("the deadline passed while the request waited; it was not computed");
  }

  /// Packs requests [begin, end) of the batch.
  PackedBatch Pack(size_t begin, size_t end) {
    ids.clear();
    type_ids.clear();
    cu_seqlens.assign(1, 0);
    for (size_t i = begin; i < end; ++i) {
      const Request& request = *batch.requests[i];
      ids.insert(ids.end(), request.ids.begin(), request.ids.end());
      type_ids.insert(type_ids.end(), request.type_ids.begin(), request.type_ids.end());
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
    return {ids, type_ids, cu_seqlens};
  }

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

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(dispatcher_, other.dispatcher_);
  std::swap(size_, other.size_);
  return *this;
}

Reservation::~Reservation() {
  if (dispatcher_) dispatcher_->Unreserve(size_);
}

Dispatcher::Dispatcher(const DispatcherOptions& options, const Clock* clock)
    : options_(options), clock_(clock), queue_(options.queue) {
  MutexLock lock(stop_mutex_);
  completion_thread_ = std::thread([this] { CompletionLoop(); });
  for (size_t i = 0; i < options_.workers; ++i) workers_.emplace_back([this, i] { WorkerLoop(i); });
}

Dispatcher::~Dispatcher() { Stop(); }

absl::StatusOr<ModelId> Dispatcher::AddModel(std::vector<std::unique_ptr<Encoder>> replicas, ModelLimits limits) {
  if (replicas.size() != options_.workers) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has ", replicas.size(), " replicas for ", options_.workers, " workers"));
  }
  if (limits.max_batch_requests == 0) return absl::InvalidArgumentError("max_batch_requests must be at least 1");
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
  MutexLock lock(mutex_);
  const ModelId id = queue_.AddModel(limits);
  models_.emplace(id, Model{std::move(replicas)});
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

absl::StatusOr<Reservation> Dispatcher::Reserve(size_t n) {
  MutexLock lock(mutex_);
  if (stopping_) return Stopped();
  if (absl::Status status = queue_.Reserve(n); !status.ok()) return status;
  return Reservation(this, n);
}

void Dispatcher::Unreserve(size_t n) {
  MutexLock lock(mutex_);
  queue_.Unreserve(n);
}

absl::Status Dispatcher::Submit(Reservation reservation, std::span<Request* const> requests) {
  MutexLock lock(mutex_);
  if (reservation.dispatcher_ != this || reservation.size_ != requests.size()) {
    return absl::InternalError("the reservation is not for these requests");
  }
  reservation.dispatcher_ = nullptr;  // Push uses it up.
  if (stopping_) {
    queue_.Unreserve(requests.size());
    return Stopped();
  }
  if (absl::Status status = queue_.Push(requests, clock_->Now()); !status.ok()) return status;
  // One batch may take them all: waking one worker is enough, and it wakes the next if work is left.
  work_arrived_.NotifyOne();
  return absl::OkStatus();
}

void Dispatcher::Cancel(Request& request) {
  // Handed over under the mutex: Stop must not see the queue without the request before its outcome is on its way.
  MutexLock lock(mutex_);
  if (!queue_.Remove(request)) return;
  work_left_.NotifyAll();
  EndWaiting(request, request.deadline <= clock_->Now()
                          ? absl::DeadlineExceededError("the deadline passed while the request waited")
                          : absl::CancelledError("cancelled by the caller; it was not computed"));
}

void Dispatcher::EndWaiting(Request& request, const absl::Status& status) {
  std::unique_ptr<Work> work = TakeSpare();
  work->batch.expired.push_back(&request);
  work->expired_status = status;
  Finish(std::move(work));
}

/// Waits for work; false if there will be none. `encoder` is null if all that it got has expired.
bool Dispatcher::NextWork(size_t worker, Work& work, Encoder*& encoder) {
  encoder = nullptr;
  MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) work_arrived_.Wait(mutex_);
  if (queue_.empty()) return false;
  queue_.NextBatch(clock_->Now(), work.batch);
  if (!queue_.empty()) work_arrived_.NotifyOne();
  if (!work.batch.expired.empty()) work_left_.NotifyAll();
  if (work.batch.requests.empty()) return true;
  Model& model = models_.at(work.batch.model);
  running_ += 1;
  model.running += 1;
  encoder = model.replicas[worker].get();
  return true;
}

/// From here on the worker does not touch the batch's encoder, which may be destroyed.
void Dispatcher::EndBatch(const Work& work) {
  const double ns = static_cast<double>((work.finished - work.started).count());
  const double ns_per_token = ns / std::max<uint32_t>(1, work.batch.stats.tokens);
  MutexLock lock(mutex_);
  running_ -= 1;
  models_.at(work.batch.model).running -= 1;
  work_left_.NotifyAll();
  ns_per_token_ = ns_per_token_ == 0 ? ns_per_token : 0.8 * ns_per_token_ + 0.2 * ns_per_token;
}

void Dispatcher::WorkerLoop(size_t worker) {
  while (true) {
    std::unique_ptr<Work> work = TakeSpare();
    Encoder* encoder = nullptr;
    if (!NextWork(worker, *work, encoder)) return;
    if (encoder) {
      RunBatch(*encoder, *work);
      EndBatch(*work);
    }
    Finish(std::move(work));
  }
}

void Dispatcher::RunBatch(Encoder& encoder, Work& work) {
  const size_t n = work.batch.requests.size(), width = encoder.Describe().output_width;
  work.PlaceOutputs(encoder.Describe());
  work.started = clock_->Now();
  absl::Status status = Guarded([&] { return encoder.Stage(work.Pack(0, n), 0); });
  if (status.ok()) status = Guarded([&] { return encoder.Run(0, work.output); });
  if (status.ok()) status = CheckShape(work.output, work.value_offsets[n] / width, width);
  work.statuses.assign(n, status);
  if (!status.ok() && n > 1) RunOneByOne(encoder, work);
  work.finished = clock_->Now();
}

void Dispatcher::RunOneByOne(Encoder& encoder, Work& work) {
  const size_t n = work.batch.requests.size(), width = encoder.Describe().output_width;
  work.ran_singly = true;
  work.single_values.assign(work.value_offsets[n], 0);
  for (size_t i = 0; i < n; ++i) {
    absl::Status& status = work.statuses[i];
    if (work.batch.requests[i]->deadline <= clock_->Now()) {
      status = absl::DeadlineExceededError("the deadline passed before the request could be run again");
      continue;
    }
    status = Guarded([&] { return encoder.Stage(work.Pack(i, i + 1), 0); });
    if (status.ok()) status = Guarded([&] { return encoder.Run(0, work.output); });
    const size_t at = work.value_offsets[i], size = work.value_offsets[i + 1] - at;
    if (status.ok()) status = CheckShape(work.output, size / width, width);
    if (status.ok())
      std::copy_n(work.output.values.begin(), size, work.single_values.begin() + static_cast<ptrdiff_t>(at));
  }
}

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
  for (Request* request : work.batch.expired) {
    request->listener->OnDone(*request, Outcome{work.expired_status, {}, {}, {}, {}});
  }
  for (size_t i = 0; i < work.batch.requests.size(); ++i) {
    Outcome outcome{work.statuses[i], {}, work.started, work.finished, work.batch.stats};
    if (outcome.status.ok()) outcome.output = work.output_of(i);
    Request& request = *work.batch.requests[i];
    request.listener->OnDone(request, outcome);
  }
}

void Dispatcher::Stop() {
  MutexLock stop_lock(stop_mutex_);
  std::unique_ptr<Work> waiting = TakeSpare();
  waiting->expired_status = Stopped();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    queue_.Clear(waiting->batch);
    work_arrived_.NotifyAll();
    work_left_.NotifyAll();
  }
  Finish(std::move(waiting));
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  {
    MutexLock lock(completion_mutex_);
    workers_gone_ = true;
    completion_arrived_.NotifyAll();
  }
  if (completion_thread_.joinable()) completion_thread_.join();
}

Dispatcher::Load Dispatcher::load() const {
  MutexLock lock(mutex_);
  return {queue_.size(), queue_.tokens(), running_};
}

Duration Dispatcher::RetryAfter() const {
  constexpr auto kUnknown = std::chrono::milliseconds(20);  // no batch has finished: nothing is known of the speed
  MutexLock lock(mutex_);
  if (ns_per_token_ == 0) return kUnknown;
  const double ns = ns_per_token_ * static_cast<double>(queue_.tokens()) / 2 / static_cast<double>(options_.workers);
  const auto wait = Duration(static_cast<int64_t>(std::min(ns, 1e9)));
  return std::clamp<Duration>(wait, std::chrono::milliseconds(1), std::chrono::seconds(1));
}

}  // namespace bertha::batcher
