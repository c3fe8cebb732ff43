// Runs the batches of one device: owns the BatchQueue, one worker thread per encoder replica, and the completion
// thread.
//
//   Reserve ─▶ (caller tokenizes) ─▶ Submit ─▶ queue ─▶ worker: Stage, Run ─▶ completion thread: Listener::OnDone
//
// Guarantees
//   - Every request that Submit accepted gets exactly one OnDone, whatever happens: an engine that fails, throws or
//     returns too few rows, cancellation, a passed deadline, Stop.
//   - An idle worker starts at once; work gathers only while all workers are busy.
//   - One request's failure is its own: when a batch fails, its requests are run again one by one.
//   - Work that is cancelled or expired before its batch starts is never computed, and its place is free at once.
//   - A model that is removed serves what was accepted; its replicas are destroyed by whoever removes it.
//
// Thread-safety: every method may be called from any thread. One short mutex; nothing is held over a forward pass or a
// callback. Listeners may call Reserve, Submit and Cancel from OnDone, and must not throw.
#ifndef BERTHA_BATCHER_DISPATCHER_H_
#define BERTHA_BATCHER_DISPATCHER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/batch_queue.h"
#include "batcher/clock.h"
#include "batcher/encoder.h"
#include "batcher/mutex.h"
#include "batcher/request.h"

namespace bertha::batcher {

struct DispatcherOptions {
  QueueOptions queue;
  /// Worker threads, each with a replica of every model. More than the device can run side by side only adds latency.
  size_t workers = 1;
};

class Dispatcher;

/// Places in the queue, held while a call is being tokenized; given back when it goes out of scope unused.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

 private:
  friend class Dispatcher;
  Reservation(Dispatcher* dispatcher, size_t size) : dispatcher_(dispatcher), size_(size) {}
  Dispatcher* dispatcher_ = nullptr;
  size_t size_ = 0;
};

class Dispatcher {
 public:
  /// `clock` outlives the dispatcher.
  Dispatcher(const DispatcherOptions& options, const Clock* clock);
  /// Stops; see Stop.
  ~Dispatcher();

  /// Adds a model with one replica for each worker. INVALID_ARGUMENT if their number or a limit is wrong. May be called
  /// while others are served.
  absl::StatusOr<ModelId> AddModel(std::vector<std::unique_ptr<Encoder>> replicas, ModelLimits limits);

  /// Takes a model away: from now on its requests are refused with UNAVAILABLE. Returns when those that were accepted
  /// have run and its replicas are destroyed, on this thread: not a listener's and not one in a hurry. Its id is never
  /// given out again. Once for each model; at any time, also after Stop.
  void RemoveModel(ModelId id);

  /// Holds `n` places. RESOURCE_EXHAUSTED, INVALID_ARGUMENT: see BatchQueue::Reserve. UNAVAILABLE after Stop.
  absl::StatusOr<Reservation> Reserve(size_t n);

  /// Accepts all `requests` or none; uses up `reservation`, whose size is theirs. Errors: see BatchQueue::Push;
  /// UNAVAILABLE after Stop.
  absl::Status Submit(Reservation reservation, std::span<Request* const> requests);

  /// Ends a request that still waits: its OnDone comes with CANCELLED. One that has started is finished as usual; one
  /// that has ended, or was never accepted, is left alone.
  void Cancel(Request& request);

  /// Ends what waits with UNAVAILABLE, finishes what runs, delivers every outcome, and joins the threads. Idempotent.
  /// Not from a listener: it would wait for itself.
  void Stop();

  /// Waiting requests and tokens, running batches.
  struct Load {
    size_t waiting_requests = 0;
    size_t waiting_tokens = 0;
    size_t running_batches = 0;
  };
  Load load() const;

  /// When trying again makes sense after RESOURCE_EXHAUSTED: the time in which, at the recent speed, half of what waits
  /// will have been served; between 1 ms and 1 s. 20 ms before the first batch has finished.
  Duration RetryAfter() const;

 private:
  friend class Reservation;
  struct Model {
    std::vector<std::unique_ptr<Encoder>> replicas;  // [workers]
    size_t running = 0;                              // batches
  };
  struct Work;  // a batch on its way: buffers, outcome of each request
  struct Worker;

  void WorkerLoop(size_t worker);
  void CompletionLoop();
  bool NextWork(size_t worker, Work& work, Encoder*& encoder);
  void EndBatch(const Work& work);
  void RunBatch(Encoder& encoder, Work& work);
  void RunOneByOne(Encoder& encoder, Work& work);
  void Finish(std::unique_ptr<Work> work);
  void EndWaiting(Request& request, const absl::Status& status);
  void Deliver(const Work& work);
  std::unique_ptr<Work> TakeSpare();
  void Unreserve(size_t n);

  const DispatcherOptions options_;
  const Clock* const clock_;

  mutable Mutex mutex_;
  CondVar work_arrived_;
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  std::map<ModelId, Model> models_ ABSL_GUARDED_BY(mutex_);
  CondVar work_left_;  // the queue or a worker; for RemoveModel
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  /// Nanoseconds per token of recent batches, exponentially averaged.
  double ns_per_token_ ABSL_GUARDED_BY(mutex_) = 0;

  Mutex completion_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  CondVar completion_arrived_;
  std::vector<std::unique_ptr<Work>> completed_ ABSL_GUARDED_BY(completion_mutex_);
  std::vector<std::unique_ptr<Work>> spare_ ABSL_GUARDED_BY(completion_mutex_);
  bool workers_gone_ ABSL_GUARDED_BY(completion_mutex_) = false;

  Mutex stop_mutex_;  // serialises Stop
  std::vector<std::thread> workers_ ABSL_GUARDED_BY(stop_mutex_);
  std::thread completion_thread_ ABSL_GUARDED_BY(stop_mutex_);
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_DISPATCHER_H_
