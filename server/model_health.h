// Does a served model still answer, and rightly? Judged by its forward passes and by what the canary finds.
//
// A model serves while
//   - a forward pass of it has succeeded within the last `max_age`; a pass that takes long may add as much as the
//     slowest one did,
//   - its last `max_faults` passes have not all failed,
//   - no pass of it is given up by the watchdog without a later one having succeeded,
//   - the canary's probes get the answers that they got at load, within the tolerance of the self-check.
// After faults and wrong answers `max_faults` right ones in a row bring it back: one that fails now and then does not
// come and go with every pass.
//
// Thread-safety: thread-safe. A pass of a healthy model that succeeds takes no lock.
#ifndef BERTHA_SERVER_MODEL_HEALTH_H_
#define BERTHA_SERVER_MODEL_HEALTH_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "batcher/clock.h"
#include "batcher/mutex.h"
#include "batcher/pass_observer.h"
#include "batcher/request.h"

namespace bertha::server {

/// Whether something is well, and if not, why: one line, without any request's text.
struct Verdict {
  bool ok = false;
  std::string reason = {};
  bool operator==(const Verdict&) const = default;
};

struct HealthOptions {
  /// How old the last forward pass that succeeded may be. Shorter notices sooner that a model answers no more; shorter
  /// than the largest batch takes to compute, and a busy model is called dead.
  batcher::Duration max_age = std::chrono::seconds(30);
  /// Passes in a row that fail before the model serves no more, and that must succeed before it serves again.
  size_t max_faults = 3;
  /// How often probes are replayed although the model is busy and well. Shorter notices wrong answers sooner.
  batcher::Duration canary_interval = std::chrono::seconds(10);
  /// Something has happened that Judge or CanaryDue should be asked about at once. On any thread; must not block.
  std::function<void()> on_trouble = {};
};

class ModelHealth final : public batcher::PassObserver {
 public:
  /// Begins as one whose pass has just succeeded, as the self-check's has. `clock` outlives it.
  ModelHealth(HealthOptions options, const batcher::Clock& clock);

  void OnPass(const absl::Status& status, batcher::Duration time) override;
  void OnStuck() override;
  void OnReturned() override;

  /// A probe is being replayed: none is due until OnCanary.
  void BeginCanary();
  /// It has ended. OK: the answer was right; FAILED_PRECONDITION: it was wrong, and how; anything else: there was none,
  /// which proves nothing (OnPass has told what is to be known).
  void OnCanary(const absl::Status& found);

  /// The process stood still for so long, which is not the model's fault.
  void Forgive(batcher::Duration time);

  Verdict Judge() const;
  /// When Judge will say that the model is not well if nothing happens until then.
  batcher::TimePoint StaleAt() const;
  /// When a probe should be replayed. max() while one is. `spare`: another model serves, whose workers this one may not
  /// take: passes that do not return keep a worker each.
  batcher::TimePoint CanaryDue(bool spare) const;
  /// Low, unless the model would be called dead for want of a pass.
  batcher::Priority CanaryPriority() const;
  /// How long it may wait for its turn before another one is tried.
  batcher::Duration CanaryPatience() const;

 private:
  batcher::TimePoint LastSuccess() const;
  batcher::Duration MaxAge() const;
  batcher::Duration RetryGap() const;
  void Succeeded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const HealthOptions options_;
  const batcher::Clock& clock_;
  std::atomic<int64_t> last_success_;     // nanoseconds of the clock
  std::atomic<int64_t> slowest_pass_{0};  // nanoseconds
  /// Whether there is anything that a success changes.
  std::atomic<bool> troubled_ = false;

  mutable Mutex mutex_;
  size_t faults_ ABSL_GUARDED_BY(mutex_) = 0;  // in a row
  size_t proofs_ ABSL_GUARDED_BY(mutex_) = 0;  // successes in a row while faulty_
  bool faulty_ ABSL_GUARDED_BY(mutex_) = false;
  std::string fault_ ABSL_GUARDED_BY(mutex_);         // the last one
  int stuck_ ABSL_GUARDED_BY(mutex_) = 0;             // passes that have been given up and have not returned
  bool unproven_ ABSL_GUARDED_BY(mutex_) = false;     // none has succeeded since the last of those
  std::string drift_ ABSL_GUARDED_BY(mutex_);         // what was wrong with an answer; empty: nothing
  size_t right_answers_ ABSL_GUARDED_BY(mutex_) = 0;  // in a row, since then
  bool canary_runs_ ABSL_GUARDED_BY(mutex_) = false;
  batcher::TimePoint canary_end_ ABSL_GUARDED_BY(mutex_);  // of the last one
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_HEALTH_H_
