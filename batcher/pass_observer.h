// Learns how the forward passes of one model end: for whoever says whether the model is healthy.
#ifndef BERTHA_BATCHER_PASS_OBSERVER_H_
#define BERTHA_BATCHER_PASS_OBSERVER_H_

#include "absl/status/status.h"
#include "batcher/clock.h"

namespace bertha::batcher {

/// Called on threads of the dispatcher, several at a time, without locks, while requests wait: be quick, do not block,
/// do not call the dispatcher back.
class PassObserver {
 public:
  virtual ~PassObserver() = default;
  /// A forward pass has ended after `time`: that of a batch and, when it failed, of each of its requests alone.
  virtual void OnPass(const absl::Status& status, Duration time) = 0;
  /// The watchdog has given one up. It has no OnPass; OnReturned tells if it returns, perhaps even before OnStuck does.
  virtual void OnStuck() = 0;
  virtual void OnReturned() = 0;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_PASS_OBSERVER_H_
