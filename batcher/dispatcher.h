// Runs the batches of one device: owns the BatchQueue, a runner and a stager thread for each worker, the completion
// thread (completion.h) and the watchdog (watchdog.h). How a batch runs is in batch_run.h.
//
//   Reserve ─▶ (caller tokenizes) ─▶ Submit ─▶ queue ─▶ stager: Stage ─▶ runner: Run ─▶ completion thread: OnDone
//
// Guarantees
//   - Every request that Submit accepted gets exactly one OnDone, whatever happens: an engine that fails, throws,
//     returns too few rows or does not return at all, cancellation, a passed deadline, Stop.
//   - An idle worker starts at once; work gathers only while all workers are busy. While a batch runs, the next one is
//     formed and staged in the encoder's other slot; if newcomers fit into it or are more urgent, it is formed again
//     when it starts.
//   - One request's failure is its own: when a batch fails, its requests are run again one by one.
//   - Work that is cancelled or expired before its batch starts is never computed, and its place is free at once.
//   - A model that is removed serves what was accepted; its replicas are destroyed by whoever removes it.
//   - A forward pass that takes longer than `stuck_after` is given up: its requests end with UNAVAILABLE. While all
//     workers are stuck, what waits and what comes ends so too, and healthy() is false. A worker that comes back works
//     on. Time in which the whole process stood still does not count.
//
// Thread-safety: every method may be called from any thread. One short mutex; nothing is held over a forward pass or a
// callback. Listeners may call Reserve, Submit and Cancel from OnDone, and must not throw.
#ifndef BERTHA_BATCHER_DISPATCHER_H_
#define BERTHA_BATCHER_DISPATCHER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/batch_queue.h"
#include "batcher/batch_run.h"
#include "batcher/clock.h"
#include "batcher/completion.h"
#include "batcher/encoder.h"
#include "batcher/mutex.h"
#include "batcher/pass_observer.h"
#include "batcher/request.h"
#include "batcher/watchdog.h"

namespace bertha::batcher {

struct DispatcherOptions {
  /// Its `workers` are the worker threads, each with a replica of every model. More than the device can run side by
  /// side only adds latency. 0: as many as the first model has replicas.
  QueueOptions queue;
  /// Whether the next batch is staged while one runs.
  bool stage_ahead = true;
  /// How long a forward pass may take before it counts as one that never returns; it is noticed within 0.1 s more.
  Duration stuck_after = std::chrono::seconds(60);
  /// healthy() has changed. On a thread of the dispatcher; must not call it back but for healthy().
  std::function<void()> on_health = {};
  /// Called first by each worker thread with its number, below `workers`.
  std::function<void(size_t worker, size_t workers)> on_worker_start = {};
  /// A forward pass of any model failed, which its requests learn anyway: for whoever can tell that no later one will
  /// do better. On a worker's thread, without locks; must not call the dispatcher back.
  std::function<void(const absl::Status&)> on_failed_pass = {};
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
  Reservation(Dispatcher* dispatcher, ModelId model, size_t size)
      : dispatcher_(dispatcher), model_(model), size_(size) {}
  Dispatcher* dispatcher_ = nullptr;
  ModelId model_ = 0;
  size_t size_ = 0;
};

class Dispatcher {
 public:
  /// `clock` outlives the dispatcher.
  Dispatcher(const DispatcherOptions& options, const Clock* clock);
  /// Stops; see Stop.
  ~Dispatcher();

  /// Adds a model with one replica for each worker. `costs` is what is known of its speed; `observer`, if there is one,
  /// learns how its passes end. INVALID_ARGUMENT if the number of replicas or a limit is wrong; UNAVAILABLE if it is
  /// the first one and comes after Stop. May be called while others are served.
  absl::StatusOr<ModelId> AddModel(std::vector<std::unique_ptr<Encoder>> replicas, ModelLimits limits,
                                   CostTable costs = {}, std::shared_ptr<PassObserver> observer = nullptr);

  /// Worker threads; 0 while the first model is to tell.
  size_t workers() const;

  /// What was learnt of a model's speed.
  CostTable Costs(ModelId id) const;

  /// Takes a model away: from now on its requests are refused with UNAVAILABLE. Returns when those that were accepted
  /// have run and its replicas are destroyed, on this thread: not a listener's and not one in a hurry. Its id is never
  /// given out again. Once for each model; at any time, also after Stop.
  void RemoveModel(ModelId id);

  /// Holds `n` places. RESOURCE_EXHAUSTED, INVALID_ARGUMENT: see BatchQueue::Reserve. UNAVAILABLE also after Stop, and
  /// while no worker is healthy.
  absl::StatusOr<Reservation> Reserve(ModelId model, size_t n, Priority priority = Priority::kNormal);

  /// Accepts all `requests` or none; uses up `reservation`, whose model and size are theirs. Errors: see
  /// BatchQueue::Push; UNAVAILABLE after Stop.
  absl::Status Submit(Reservation reservation, std::span<Request* const> requests);

  /// Ends those of a call's requests that still wait, all at once: their OnDone comes with CANCELLED. One that has
  /// started is finished as usual; one that has ended, or was never accepted, is left alone.
  void Cancel(std::span<Request* const> requests);
  void Cancel(Request& request) {
    Request* one = &request;
    Cancel(std::span(&one, 1));
  }

  /// False while every worker is in a forward pass that does not return.
  bool healthy() const;

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

  /// Requests since the start that were not computed, by reason.
  struct Rejections {
    /// Refused: no place was left; their deadline could not have been met.
    uint64_t queue_full = 0, not_in_time = 0;
    /// Accepted, and given up while they waited; see Ending.
    uint64_t expired = 0, too_late = 0, shed = 0, evicted = 0, cancelled = 0, stopped = 0, stuck = 0;
  };
  Rejections rejections() const;

  /// When trying again makes sense after RESOURCE_EXHAUSTED: the time in which, at the recent speed, half of what waits
  /// will have been served; between 1 ms and 1 s. 20 ms before the first batch has finished.
  Duration RetryAfter() const;

 private:
  friend class Reservation;
  struct Model {
    std::vector<std::unique_ptr<Encoder>> replicas;  // [workers]
    size_t running = 0;                              // batches, those being staged included
    std::shared_ptr<PassObserver> observer = nullptr;
  };
  struct Worker;     // what runner, stager and watchdog share
  class Supervisor;  // looks on while a worker's passes run

  absl::Status StartWorkers(size_t count);
  void RunnerLoop(Worker& worker, size_t workers);
  void StagerLoop(Worker& worker);
  bool NextWork(Worker& worker);
  bool TakeBatch(Worker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AwaitWork(TimePoint until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Leave(Worker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndBatch(Worker& worker);
  void EndGivenUp(Worker& worker);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FlushEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unreserve(ModelId model, size_t n);
  void Watch(bool counts);
  void GiveUp(Worker& worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReportHealth() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AllStuck() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DispatcherOptions options_;
  const Clock* const clock_;

  mutable Mutex mutex_;
  CondVar work_arrived_;  // for idle runners
  CondVar stage_wanted_;  // for stagers
  CondVar stage_done_;    // for the runners whose stager is at it
  BatchQueue queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Ended> ended_ ABSL_GUARDED_BY(mutex_);
  std::map<ModelId, Model> models_ ABSL_GUARDED_BY(mutex_);
  CondVar work_left_;  // the queue or a worker; for RemoveModel
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;  // runners that wait for work
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool reported_healthy_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<std::shared_ptr<PassObserver>> stuck_observers_ ABSL_GUARDED_BY(mutex_);  // to be told
  /// Nanoseconds per token of recent batches, exponentially averaged.
  double ns_per_token_ ABSL_GUARDED_BY(mutex_) = 0;

  Mutex stop_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);                         // serialises starting and Stop
  std::vector<std::unique_ptr<Worker>> workers_ ABSL_GUARDED_BY(mutex_);  // not changed once there are any
  std::vector<std::thread> worker_threads_ ABSL_GUARDED_BY(stop_mutex_);

  Completion completion_;
  Watchdog watchdog_;  // last: it looks at the rest
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_DISPATCHER_H_
