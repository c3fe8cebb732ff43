// What must hold, whatever is done to a queue: what it does is held against its shadow, which takes note of it.
#ifndef BERTHA_TESTS_BATCHER_QUEUE_CHECKS_H_
#define BERTHA_TESTS_BATCHER_QUEUE_CHECKS_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "batcher/batch_queue.h"
#include "tests/batcher/queue_schedule.h"
#include "tests/batcher/shadow_queue.h"

namespace bertha::batcher {

/// What happened, for the proof that the schedules reach everything.
struct Tally {
  size_t accepted = 0, answered = 0, cancelled = 0, refused = 0, twins = 0, passed_over = 0, kept = 0, formed_again = 0;
  /// Evicted for another model; calls that were within their share of a full queue; reserved places that others got;
  /// models that went.
  size_t gave_room = 0, within_share = 0, lost_places = 0, erased = 0;
  std::map<Ending, size_t> endings;
};

/// "The queue is full".
bool IsFull(const absl::Status& status);

class QueueChecks {
 public:
  QueueChecks(const BatchQueue& queue, ShadowQueue& shadow, Tally& tally)
      : world_(shadow.world), queue_(queue), shadow_(shadow), tally_(tally) {}

  void Fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }
  void Check(bool good, const std::string& what) {
    if (!good) Fail(what);
  }
  bool good() const { return failure_.empty(); }
  /// What went wrong first; empty if nothing did.
  const std::string& failure() const { return failure_; }

  /// Room was made for the call, or not.
  void Room(Ask ask, const absl::Status& status, std::vector<Ended>& ended);
  /// What the queue ended by itself, or for the reason that it was given.
  void Endings(Ending expected, std::vector<Ended>& ended);
  /// A batch was chosen just now.
  void Formed(const Batch& batch, bool staged, std::vector<Ended>& ended);
  void InTime(const Request& request);
  void NobodyMoreUrgent(const Batch& batch);
  /// The leader and its twins are those that the shadow knows.
  void Together(const Request& leader, const std::string& what);
  void Counts();

 private:
  void Victim(const Ended& each, const Ask& ask);
  void Why(const Ended& each, Ending expected);
  void Members(const Batch& batch);
  void Order(const Batch& batch);

  const World& world_;
  const BatchQueue& queue_;
  ShadowQueue& shadow_;
  Tally& tally_;
  std::string failure_;
};

}  // namespace bertha::batcher

#endif  // BERTHA_TESTS_BATCHER_QUEUE_CHECKS_H_
