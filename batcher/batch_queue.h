// Which requests run next, and together? The pure part of the batcher: no threads, no clock of its own, no tensors.
//
// Contract
//   - Bounded. At most `max_requests` requests wait or are reserved, and at most `max_tokens` tokens wait; beyond that
//     Reserve and Push answer RESOURCE_EXHAUSTED at once. A call's requests are accepted together or not at all.
//   - Expired requests never start: NextBatch hands them back separately.
//   - Order: earliest deadline first, then arrival. A request without a deadline gets `now + default_deadline` when it
//     is pushed, so that it cannot be overtaken for ever.
//   - A batch is of one model: that of the most urgent request. It takes that model's requests in order until the next
//     one would exceed `max_batch_requests` or `max_batch_tokens` (for an engine that pads: n * longest). It never
//     waits for more.
//
// Thread-safety: thread-compatible; the Dispatcher guards it with its mutex.
#ifndef BERTHA_BATCHER_BATCH_QUEUE_H_
#define BERTHA_BATCHER_BATCH_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "batcher/clock.h"
#include "batcher/request.h"

namespace bertha::batcher {

struct QueueOptions {
  /// Requests that may wait at once, those being tokenized included. Too small: bursts are refused that could have been
  /// served in time. Too large: under overload everybody waits `max_requests / throughput` seconds.
  size_t max_requests = 4096;
  /// Tokens that may wait at once: bounds the time and the memory that waiting work stands for.
  size_t max_tokens = 1 << 20;
  /// Deadline of a request that has none, from its arrival. Also how long such a request can be overtaken.
  Duration default_deadline = std::chrono::seconds(30);
};

struct ModelLimits {
  /// Requests in one batch.
  size_t max_batch_requests = 64;
  /// Tokens in one batch as the engine computes them, padding included. Bounds the time that one batch can take, and
  /// with it how long an urgent request waits for the device.
  size_t max_batch_tokens = 8192;
  /// True if the engine pads to the longest sequence of the batch.
  bool pads = false;
};

/// What NextBatch chose. Reused: keeps its capacity.
struct Batch {
  ModelId model = 0;
  std::vector<Request*> requests;
  BatchStats stats;
  /// Requests whose deadline passed while they waited; to be answered DEADLINE_EXCEEDED.
  std::vector<Request*> expired;

  void Clear();
};

class BatchQueue {
 public:
  explicit BatchQueue(const QueueOptions& options) : options_(options) {}

  /// Ids are given in order, from 0, and never again.
  ModelId AddModel(const ModelLimits& limits);
  /// From now on Push refuses requests of this model; those that wait stay.
  void CloseModel(ModelId id);
  /// Forgets a model of which nothing waits.
  void EraseModel(ModelId id);

  /// Holds places for `n` requests that are being prepared. RESOURCE_EXHAUSTED if the queue is full; INVALID_ARGUMENT
  /// if `n` can never fit.
  absl::Status Reserve(size_t n);
  /// Gives back places that Reserve held and Push did not use.
  void Unreserve(size_t n);

  /// Accepts all `requests` (whose places are reserved) or none. Either way their reservation is used up.
  /// DEADLINE_EXCEEDED if a deadline has passed; RESOURCE_EXHAUSTED if there are too many tokens; INVALID_ARGUMENT if
  /// their tokens can never fit; UNAVAILABLE if their model is closed or erased.
  absl::Status Push(std::span<Request* const> requests, TimePoint now);

  /// Takes a request out. False if it does not wait here (not accepted, already in a batch, or answered).
  bool Remove(Request& request);

  /// Fills `batch` with what should run now, and with what has expired. Both may be empty.
  void NextBatch(TimePoint now, Batch& batch);

  /// Takes everything out, into `batch.expired`.
  void Clear(Batch& batch);

  /// Requests and tokens that wait.
  size_t size() const { return size_; }
  size_t tokens() const { return tokens_; }
  bool empty() const { return size_ == 0; }
  /// Whether requests of this model wait.
  bool Waits(ModelId id) const;

 private:
  struct MoreUrgent {
    bool operator()(const Request* a, const Request* b) const;
  };
  using Waiting = absl::btree_set<Request*, MoreUrgent>;
  struct Model {
    ModelLimits limits;
    Waiting waiting;
    bool closed = false;
  };

  absl::Status Admit(std::span<Request* const> requests, TimePoint now) const;
  void TakeExpired(TimePoint now, Batch& batch);
  std::map<ModelId, Model>::iterator MostUrgent();
  void TakeBatch(Model& model, Batch& batch);
  void Leave(Request& request);

  const QueueOptions options_;
  std::map<ModelId, Model> models_;
  ModelId next_id_ = 0;
  size_t size_ = 0;
  size_t tokens_ = 0;
  size_t reserved_ = 0;
  uint64_t next_sequence_ = 0;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_BATCH_QUEUE_H_
