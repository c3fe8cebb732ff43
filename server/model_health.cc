#include "server/model_health.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::TimePoint;

/// Between two probes of a model that is in trouble: some fit into the second in which health must tell.
constexpr Duration kRetryGap = std::chrono::milliseconds(250);
/// The slowest pass counts up to here: one that the machine stopped must not keep a dead model alive.
constexpr Duration kMostSlowness = std::chrono::seconds(60);

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// An engine's message for a log: a line of bounded length.
std::string FirstLine(absl::string_view message) {
  constexpr size_t kMost = 200;
  message = message.substr(0, message.find('\n'));
  return std::string(message.substr(0, kMost));
}

}  // namespace

ModelHealth::ModelHealth(HealthOptions options, const batcher::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      last_success_(clock.Now().time_since_epoch().count()),
      canary_end_(clock.Now()) {}

void ModelHealth::OnPass(const absl::Status& status, Duration time) {
  if (time.count() > slowest_pass_.load(std::memory_order_relaxed)) {
    slowest_pass_.store(std::min(time, kMostSlowness).count(), std::memory_order_relaxed);
  }
  if (status.ok()) {
    last_success_.store(clock_.Now().time_since_epoch().count(), std::memory_order_relaxed);
    if (!troubled_.load(std::memory_order_relaxed)) return;
  }
  bool tell = false;
  {
    MutexLock lock(mutex_);
    if (status.ok()) {
      const bool was_faulty = faulty_, was_unproven = unproven_;
      Succeeded();
      tell = faulty_ != was_faulty || unproven_ != was_unproven;
    } else {
      proofs_ = 0;
      faults_ += 1;
      faulty_ |= faults_ >= options_.max_faults;
      fault_ = FirstLine(status.message());
      tell = faults_ == 1 || faults_ == options_.max_faults;
    }
    Settle();
  }
  if (tell && options_.on_trouble) options_.on_trouble();
}

void ModelHealth::Succeeded() {
  faults_ = 0;
  unproven_ = false;
  if (faulty_ && ++proofs_ >= options_.max_faults) {
    faulty_ = false;
    proofs_ = 0;
  }
}

void ModelHealth::Settle() { troubled_.store(faults_ > 0 || faulty_ || unproven_, std::memory_order_relaxed); }

void ModelHealth::OnStuck() {
  {
    MutexLock lock(mutex_);
    stuck_ += 1;
    // If it has returned meanwhile, there is nothing to prove.
    unproven_ |= stuck_ > 0;
    Settle();
  }
  if (options_.on_trouble) options_.on_trouble();
}

void ModelHealth::OnReturned() {
  {
    MutexLock lock(mutex_);
    stuck_ -= 1;
  }
  if (options_.on_trouble) options_.on_trouble();
}

void ModelHealth::BeginCanary() {
  MutexLock lock(mutex_);
  canary_runs_ = true;
}

void ModelHealth::OnCanary(const absl::Status& found) {
  {
    MutexLock lock(mutex_);
    canary_runs_ = false;
    canary_end_ = clock_.Now();
    if (absl::IsFailedPrecondition(found)) {
      drift_ = FirstLine(found.message());
      right_answers_ = 0;
    } else if (found.ok() && !drift_.empty() && ++right_answers_ >= options_.max_faults) {
      drift_.clear();
    }
  }
  if (options_.on_trouble) options_.on_trouble();
}

void ModelHealth::Forgive(Duration time) {
  // Past now, if a pass has succeeded meanwhile: that far the next age is too small, which does no harm.
  last_success_.fetch_add(time.count(), std::memory_order_relaxed);
}

TimePoint ModelHealth::LastSuccess() const {
  return TimePoint(Duration(last_success_.load(std::memory_order_relaxed)));
}

Duration ModelHealth::MaxAge() const {
  return options_.max_age + Duration(slowest_pass_.load(std::memory_order_relaxed));
}

TimePoint ModelHealth::StaleAt() const { return LastSuccess() + MaxAge() + Duration(1); }

Verdict ModelHealth::Judge() const {
  const Duration age = clock_.Now() - LastSuccess();
  MutexLock lock(mutex_);
  if (faulty_) {
    return {false, absl::StrCat(std::max(faults_, options_.max_faults),
                                " forward passes in a row failed, the last: ", fault_)};
  }
  if (!drift_.empty()) return {false, absl::StrCat("a probe gets a wrong answer: ", drift_)};
  if (unproven_) return {false, "a forward pass does not return"};
  if (age > MaxAge()) return {false, absl::StrFormat("no forward pass has succeeded for %.1f s", Seconds(age))};
  return {true, ""};
}

Duration ModelHealth::RetryGap() const {
  // At most a fifth of a worker for a model that may never recover.
  return std::max(kRetryGap, 4 * Duration(slowest_pass_.load(std::memory_order_relaxed)));
}

TimePoint ModelHealth::CanaryDue(bool spare) const {
  const TimePoint last = LastSuccess();
  MutexLock lock(mutex_);
  if (canary_runs_ || (spare && stuck_ > 1)) return TimePoint::max();
  const TimePoint soonest = canary_end_ + RetryGap();
  if (faults_ > 0 || faulty_ || unproven_ || !drift_.empty()) return soonest;
  return std::max(soonest, std::min(last + options_.max_age / 3, canary_end_ + options_.canary_interval));
}

batcher::Priority ModelHealth::CanaryPriority() const {
  const Duration age = clock_.Now() - LastSuccess();
  return age > options_.max_age * 2 / 3 ? batcher::Priority::kHigh : batcher::Priority::kBatch;
}

Duration ModelHealth::CanaryPatience() const { return MaxAge() - options_.max_age * 2 / 3; }

}  // namespace bertha::server
