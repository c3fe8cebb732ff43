// Which requests run next, and together? The pure part of the batcher: no threads, no clock of its own, no tensors. The
// daemon's Dispatcher and the simulator in bench/ drive the same code.
//
// Contract
//   - Bounded. At most `max_requests` requests and `max_tokens` tokens wait; places that are reserved count. Beyond
//     that, room is made by the model that holds most for its weight, the newcomers included (see eviction.h): the
//     lowest priority first, then the least urgent; the newcomers' own model gives only lower priorities than theirs.
//     Where that is not enough none of it goes, and Reserve and Push answer RESOURCE_EXHAUSTED at once. A call's
//     requests are accepted together or not at all.
//   - A model within its weight's share of the queue, among the models that have requests here, is never refused for
//     its being full, and may use all that the others leave free. What is staged stays, as does what a closed model
//     has: the shares are of the rest.
//   - Admission. A request that, as far as the cost table knows, cannot end by its deadline, or would keep one of its
//     class that was accepted from ending by its own, is refused at once with RESOURCE_EXHAUSTED (see demand.h); those
//     of lower classes may become late by it, which is what priority means. Nothing is refused while nothing is known
//     of the model's speed. When nothing has been learnt of it for a second and the device is idle, one call is let in
//     that should be refused, and is tried: a wrong estimate must not last.
//   - Order of decisions, each time a device is free: what is cancelled or expired goes; what is too old under overload
//     is shed; then the model with the least time for its weight; then priority; then the earliest deadline; then
//     arrival. A request without a deadline gets `default_deadline`.
//   - Exceptions from that order, all of them: a request that does not fit the batch's token budget is passed over, as
//     is a long one by an engine that pads, if its slack allows (see batch_former.h); at most `max_skips` times, then
//     nothing passes it. A request that has waited for `max_priority_delay` competes one priority higher, and so on, so
//     that lower priorities are late under pressure but never starve. What is staged for a worker waits for that
//     worker, for one batch at most, unless another worker is idle.
//   - Bound on waiting: once a request is in the highest class and was passed over `max_skips` times, only requests
//     with earlier deadlines go first; deadlines are finite, so these are finitely many.
//   - A batch is of one model, within its limits, and chosen for goodput: the most work that ends in time for the
//     device's time. It starts at once, unless `max_queue_delay` lets it wait for more, never into the slack of its
//     most urgent request.
//   - What is expired, or cannot end in time any more, never starts. What is cancelled before it starts never starts.
//   - Overload. When the smallest queueing delay over `overload_window` stays above `overload_target`, the requests
//     that have waited longer than it are shed, the lowest priority first, in favour of those that came later (see
//     overload.h). Not those with a deadline of their own: the queue took them because it can be met.
//   - Several models share the device by start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): under saturation
//     each gets time in proportion to its weight; what one does not use goes to the others, and is not saved up.
//   - Identical requests (same model, same tokens, same priority) are computed once, if `share_identical`; each keeps
//     its own deadline, cancellation and times.
//   - Time never runs backwards here: a `now` before the last one counts as the last one.
//
// Thread-safety: thread-compatible; the Dispatcher guards it with its mutex. In the steady state nothing is allocated
// but the nodes of ordered sets.
#ifndef BERTHA_BATCHER_BATCH_QUEUE_H_
#define BERTHA_BATCHER_BATCH_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "batcher/backlog.h"
#include "batcher/batch.h"
#include "batcher/batch_former.h"
#include "batcher/clock.h"
#include "batcher/cost_table.h"
#include "batcher/ending.h"
#include "batcher/queue_options.h"
#include "batcher/request.h"

namespace bertha::batcher {

class BatchQueue {
 public:
  /// `options` are valid.
  explicit BatchQueue(const QueueOptions& options) : options_(options), backlog_(options) {}

  /// Before the first model: how many batches run side by side.
  void SetWorkers(size_t workers) { options_.workers = workers; }

  /// Ids are given in order, from 0, and never again. `limits` are valid; `costs` is what is known of its speed.
  ModelId AddModel(const ModelLimits& limits, CostTable costs = {}) {
    return backlog_.AddModel(limits, std::move(costs));
  }
  /// From now on Reserve and Push refuse requests of this model; those that wait stay. Its reservations end.
  void CloseModel(ModelId id) { backlog_.CloseModel(id); }
  /// Forgets a model of which nothing waits or runs.
  void EraseModel(ModelId id) { backlog_.EraseModel(id); }

  /// Holds places for `n` requests of a model that are being prepared. RESOURCE_EXHAUSTED if the queue is full;
  /// INVALID_ARGUMENT if `n` can never fit; UNAVAILABLE if the model is closed or erased. What had to make room goes to
  /// `ended`. Another model's call may get places that are reserved and no more than that: then more are reserved than
  /// there are, and Push refuses those of the model that has most.
  absl::Status Reserve(ModelId id, size_t n, Priority priority, std::vector<Ended>& ended) {
    return backlog_.Reserve(id, n, priority, latest_, ended);
  }
  /// Gives back places that Reserve held and Push did not use. The model may be closed or gone.
  void Unreserve(ModelId id, size_t n) { backlog_.Unreserve(id, n); }

  /// Accepts all `requests` (whose places are reserved, and which are of one model and priority) or none. Either way
  /// their reservation is used up. DEADLINE_EXCEEDED if a deadline has passed; RESOURCE_EXHAUSTED if there are too many
  /// tokens, their places were needed by a model that had less, or they would be late; INVALID_ARGUMENT if their tokens
  /// can never fit; UNAVAILABLE if their model is closed or erased.
  absl::Status Push(std::span<Request* const> requests, TimePoint now, std::vector<Ended>& ended);

  /// Takes a request out. False if it does not wait here (not accepted, already started, or answered).
  bool Remove(Request& request) { return backlog_.Remove(request, latest_); }

  /// Takes out what should run now, and starts it. What is staged elsewhere waits no longer: its batch is emptied.
  void NextBatch(TimePoint now, Batch& batch, std::vector<Ended>& ended);

  /// The same for a batch that is to be prepared while another one runs; its requests wait on until Start. `batch`
  /// stays where it is until then.
  void Stage(TimePoint now, Batch& batch, std::vector<Ended>& ended);
  /// Starts a batch that was staged. If something changed since (a request left, more came that fit or are more urgent,
  /// another worker took it), chooses again and returns false.
  bool Start(TimePoint now, Batch& batch, std::vector<Ended>& ended);

  /// A batch that was started has ended: the queue learns what it took. Its requests and their twins are answered by
  /// the caller. Not if `learn` is false: it did not run as usual.
  void Finished(TimePoint end, const Batch& batch, bool learn = true);

  /// Takes everything out.
  void Clear(Ending why, std::vector<Ended>& ended);

  /// Requests and tokens that wait, staged ones included.
  size_t size() const { return backlog_.size(); }
  size_t tokens() const { return backlog_.tokens(); }
  /// Requests that were refused since the start: for lack of room; since they could not have ended in time.
  uint64_t refused_full() const { return backlog_.refused(); }
  uint64_t refused_late() const { return refused_late_; }
  bool empty() const { return size() == 0; }
  /// Requests that wait and are not staged or twins.
  size_t unstaged() const { return backlog_.unstaged(); }
  /// Whether requests of this model wait.
  bool Waits(ModelId id) const { return backlog_.Waits(id); }
  /// What the queue knows of a model's speed.
  const CostTable& costs(ModelId id) const { return backlog_.models().at(id).speed.costs(); }

 private:
  using Model = Backlog::Model;
  /// What a call needs: time on the device, that of its longest text alone, and by when.
  struct Need {
    Duration work{0}, longest{0};
    TimePoint deadline;
  };

  TimePoint Later(TimePoint now);
  absl::Status Admit(Model& model, std::span<Request* const> requests, TimePoint now, std::vector<Ended>& ended);
  absl::Status AdmitInTime(Model& model, std::span<Request* const> requests, TimePoint now);
  Need NeedOf(const Model& model, std::span<Request* const> requests, TimePoint now) const;
  Duration TimeBefore(const Model& model, size_t rank, double speed, TimePoint now) const;
  Duration UntilFree(TimePoint now) const;
  bool IsLate(const Model& model, const Request& request, TimePoint now) const;
  bool DropIfLate(Model& model, Request& request, TimePoint now, std::vector<Ended>& ended);
  void DropLate(Model& model, TimePoint now, std::vector<Ended>& ended);
  void Shed(Model& model, TimePoint now, std::vector<Ended>& ended);
  void Form(TimePoint now, Batch& batch, std::vector<Ended>& ended);
  BatchFormer::Choice Choose(const Model& model, TimePoint now);
  bool FormOf(Model& model, TimePoint now, Batch& batch, std::vector<Ended>& ended);
  bool Holds(const Batch& batch, TimePoint now, TimePoint& until) const;
  void Unstage(Batch& batch);
  void Run(TimePoint now, Batch& batch);
  bool Better(const Model& model, const Batch& batch, TimePoint now) const;

  QueueOptions options_;  // but for the workers, never changed
  Backlog backlog_;
  BatchFormer former_;
  std::vector<Request*> looked_at_;
  std::vector<Candidate> candidates_;
  std::vector<Batch*> staged_;
  std::vector<TimePoint> free_at_;  // of batches that run: when they are expected to end
  uint64_t refused_late_ = 0;
  TimePoint latest_;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_BATCH_QUEUE_H_
