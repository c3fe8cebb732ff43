// Who waits: the requests of all models that were accepted and have not started, and the places that are reserved for
// some that are being prepared. Who gets a place, who stands for whom, whose turn it is. What runs when, and what comes
// too late, is for BatchQueue, whose contract tells the rules.
//
// Of identical requests the most urgent leads: it is in its model's queue, and its tokens count; the others, its twins,
// count as requests that wait, unless it runs.
//
// Invariant: size() and tokens() are the sums over the models, and together with what is reserved never more than the
// options allow, unless places that were reserved were given to others.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_BACKLOG_H_
#define BERTHA_BATCHER_BACKLOG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/batch_former.h"
#include "batcher/clock.h"
#include "batcher/cost_table.h"
#include "batcher/ending.h"
#include "batcher/eviction.h"
#include "batcher/model_queue.h"
#include "batcher/model_speed.h"
#include "batcher/overload.h"
#include "batcher/queue_options.h"
#include "batcher/request.h"
#include "batcher/twins.h"

namespace bertha::batcher {

class Backlog {
 public:
  struct Model {
    ModelLimits limits;
    ModelSpeed speed;
    OverloadDetector overload;
    ModelQueue queue = {};
    size_t waiting = 0;  // staged and twins included
    size_t tokens = 0;   // that wait
    size_t reserved = 0;
    bool closed = false;
    /// Only while a batch is being formed: this model waits for a fuller one.
    bool holds = false;
    /// Device time that it had, divided by its weight; comparable between models (a virtual start time).
    double served = 0;
  };
  using Models = std::map<ModelId, Model>;

  explicit Backlog(const QueueOptions& options)
      : options_(options), eviction_(options.max_requests, options.max_tokens) {}

  // ---- models; see BatchQueue

  ModelId AddModel(const ModelLimits& limits, CostTable costs);
  void CloseModel(ModelId id);
  void EraseModel(ModelId id);

  Models& models() { return models_; }
  const Models& models() const { return models_; }
  /// One that was not erased.
  Model& model(ModelId id) { return models_.at(id); }
  /// UNAVAILABLE if it is closed or erased.
  absl::StatusOr<Model*> OpenModel(ModelId id);

  // ---- places

  /// See BatchQueue. `now` is the latest time that the queue knows.
  absl::Status Reserve(ModelId id, size_t n, Priority priority, TimePoint now, std::vector<Ended>& ended);
  void Unreserve(ModelId id, size_t n);
  /// Lets others go, into `ended`, if there is no room for so many more of the model. RESOURCE_EXHAUSTED if that does
  /// not help; then nobody goes.
  absl::Status MakeRoom(Model& model, size_t requests, size_t tokens, Priority priority, TimePoint now,
                        std::vector<Ended>& ended);

  // ---- requests

  /// The request waits from now on, for itself or as a twin.
  void Add(Model& model, Request& request, TimePoint now);
  /// Whether it would be a twin.
  bool HasLike(Request& request) const { return options_.share_identical && twins_.Find(request); }
  /// Takes out what waits, or is a twin of what runs; false if it does neither. A twin takes the place of its leader.
  bool Remove(Request& request, TimePoint now);
  /// Takes it out and says why.
  void End(Request& request, Ending why, TimePoint now, std::vector<Ended>& ended);
  /// All that are not staged.
  void EndAll(Ending why, TimePoint now, std::vector<Ended>& ended);
  /// It was taken from its model's queue and runs: it and its twins wait no longer.
  void Start(Model& model, Request& request);
  /// It has run: it and its twins may come again.
  void Finish(Request& request);

  // ---- turns: start-time fair queueing

  /// The model whose turn it is: of those with work that do not hold, the one with the least time for its weight.
  Models::iterator NextModel();
  /// It was chosen: one that comes now begins where it is.
  void Chose(const Model& model) { served_ = model.served; }
  /// It gets, or gives back, so much time.
  static void Charge(Model& model, Duration time) {
    model.served += static_cast<double>(time.count()) / model.limits.weight;
  }
  /// Its part of the device among the models with work.
  double ShareOf(const Model& model) const;

  // ---- counts; see BatchQueue

  size_t size() const { return size_; }
  size_t tokens() const { return tokens_; }
  size_t unstaged() const;
  bool Waits(ModelId id) const;
  /// Requests that found no room.
  uint64_t refused() const { return refused_; }

 private:
  void Enter(Model& model, Request& request, TimePoint now);
  bool JoinLeader(Model& model, Request& request);
  static void InheritTurn(Model& model, const Request& from, Request& next);
  void Leave(Request& request);
  static void Forget(Request& request);
  void RemoveTwin(Request& request);
  void GiveTwinThePlaceOf(Request& request, TimePoint now);

  const QueueOptions options_;
  Models models_;
  Twins twins_;
  Eviction eviction_;
  ModelId next_id_ = 0;
  size_t size_ = 0;
  size_t tokens_ = 0;
  size_t reserved_ = 0;
  uint64_t refused_ = 0;
  uint64_t next_sequence_ = 0;
  double served_ = 0;  // of the model that was chosen last
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_BACKLOG_H_
