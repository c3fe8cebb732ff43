// What is known of a model's speed: the cost table, and how far what is reckoned from it holds.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_MODEL_SPEED_H_
#define BERTHA_BATCHER_MODEL_SPEED_H_

#include <cstddef>
#include <utility>

#include "batcher/batch.h"
#include "batcher/batch_former.h"
#include "batcher/clock.h"
#include "batcher/cost_table.h"

namespace bertha::batcher {

class ModelSpeed {
 public:
  explicit ModelSpeed(CostTable costs) : costs_(std::move(costs)) {}

  const CostTable& costs() const { return costs_; }

  /// What a text takes that runs alone.
  Duration Alone(size_t length) const { return costs_.Estimate(length, length); }
  /// Its part of the time of a good batch.
  Duration WorkOf(size_t length, const ModelLimits& limits) const;
  /// How much later than what waits before it a request ends: with its batch, and perhaps later than was reckoned.
  Duration Delay() const { return Duration(static_cast<int64_t>(batch_ns_ + margin_ns_)); }

  /// A batch has run, `took` long: now it is `now`.
  void Learn(const Batch& batch, TimePoint end, Duration took, TimePoint now);
  /// An accepted request ended in time, or not.
  void LearnMargin(bool missed);
  /// Nothing waits: what was learnt of being late is forgotten by and by.
  void Relax(TimePoint now);
  /// Whether it is time to try what should be refused: estimates that let nothing in would never be corrected.
  bool Doubts(TimePoint now);

 private:
  CostTable costs_;
  /// Measured time of full batches over the work that their requests were reckoned with.
  double inflation_ = 1;
  /// What its batches took lately, ns.
  double batch_ns_ = 0;
  /// Time that admission keeps free beyond what it reckons with.
  double margin_ns_ = 0;
  /// When it was last made less because nothing waited.
  TimePoint relaxed_;
  /// When a batch last taught something, or was last let in to do so.
  TimePoint learnt_;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_MODEL_SPEED_H_
