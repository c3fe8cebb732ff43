// One text on its way through the batcher, and what becomes of it.
#ifndef BERTHA_BATCHER_REQUEST_H_
#define BERTHA_BATCHER_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "batcher/clock.h"
#include "batcher/demand.h"

namespace bertha::batcher {

/// A model that is served on a device; given out by Dispatcher::AddModel, in order, from 0.
using ModelId = size_t;

/// Who goes first, and who is refused last, when not all can be served.
enum class Priority : uint8_t { kHigh, kNormal, kBatch };
inline constexpr size_t kPriorities = 3;
/// The highest has 0.
constexpr size_t IndexOf(Priority priority) { return static_cast<size_t>(priority); }

/// The batch in which a request was computed.
struct BatchStats {
  /// Requests in it.
  uint32_t size = 0;
  /// Their tokens, without padding.
  uint32_t tokens = 0;
  /// Tokens that the engine computed, with padding.
  uint32_t padded_tokens = 0;
};

/// How a request ended. Exactly one per accepted request.
struct Outcome {
  /// OK; DEADLINE_EXCEEDED or CANCELLED (never computed); RESOURCE_EXHAUSTED (shed while it waited); UNAVAILABLE
  /// (stopped while it waited); INTERNAL (the engine failed on this request).
  absl::Status status;
  /// [rows, output_width] numbers, if OK; one row, or one for each token of the request (EncoderDescription). A view:
  /// valid until OnDone returns.
  std::span<const float> output;
  /// When its forward pass began and ended; equal to TimePoint() if it was not computed.
  TimePoint started;
  TimePoint finished;
  BatchStats batch;
};

struct Batch;
struct Request;

/// Receives the outcome of requests, on the dispatcher's completion thread. Must be quick and must not block.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Called exactly once for every accepted request. The batcher does not touch `request` afterwards.
  virtual void OnDone(Request& request, const Outcome& outcome) = 0;
};

/// The caller owns the request and what it points to; both stay alive and unchanged from Submit until OnDone.
struct Request {
  ModelId model = 0;
  /// [tokens] ids and segment ids of the text, special tokens included; not empty.
  std::span<const int32_t> ids;
  std::span<const int32_t> type_ids;
  /// When the answer is of no use any more. max(): the queue's default deadline applies.
  TimePoint deadline = TimePoint::max();
  Priority priority = Priority::kNormal;
  Listener* listener = nullptr;

  /// When the queue accepted it. Written by the queue.
  TimePoint accepted;

  /// The next of the identical requests that get this one's answer; null if there is none.
  Request* twin() const { return next_twin_; }
  /// Whether it is the one of those that waits and runs.
  bool leads() const { return place_ != Place::kTwin; }

 private:
  friend class Backlog;
  friend class BatchQueue;
  friend class ModelQueue;
  friend struct MoreUrgent;
  friend class ArrivalList;
  friend class Twins;
  enum class Place : uint8_t { kNowhere, kWaiting, kStaged, kRunning, kTwin };

  Place place_ = Place::kNowhere;
  /// The class that it competes in: its priority, or a higher one when it has waited long.
  Priority rank_ = Priority::kNormal;
  /// Whether its caller said how long the answer is of use.
  bool has_own_deadline_ = false;
  /// Batches that passed it over.
  uint32_t skipped_ = 0;
  /// Whether it was let in to find out if the estimate holds: not given up because of it.
  bool tries_ = false;
  /// Order of arrival, breaks ties between deadlines.
  uint64_t sequence_ = 0;
  Demand::Job job_;
  Batch* batch_ = nullptr;  // that it is staged in
  Request* older_ = nullptr;
  Request* newer_ = nullptr;
  /// Of identical requests one is the leader, which waits and runs; the others are twins, chained to it.
  uint64_t hash_ = 0;  // of model, priority and tokens; 0: not computed
  Request* leader_ = nullptr;
  Request* next_twin_ = nullptr;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_REQUEST_H_
