#include "server/gate.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace bertha::server {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// A drain is over when no call has come for kQuiet; callers who keep coming do not hold it up longer than kMostLinger.
constexpr std::chrono::milliseconds kQuiet{300}, kMostLinger{2000};

SteadyClock::rep Now() { return SteadyClock::now().time_since_epoch().count(); }

}  // namespace

Gate::Ticket Gate::Enter(Scope scope, absl::string_view authorization, Caller& caller, absl::Status& status) {
  last_arrival_.store(Now(), std::memory_order_relaxed);
  // Either this thread sees `draining_`, or the one that drains sees the call: both are sequentially consistent.
  calls_ += 1;
  Ticket ticket(this);
  if (draining_) {
    status = Counted(absl::UnavailableError("the server is shutting down; try another one"));
  } else if (access_) {
    absl::StatusOr<std::string> name = access_->Check(scope, listener_, authorization, caller.address);
    if (name.ok()) {
      caller.token_name = *std::move(name);
    } else {
      status = Counted(name.status());
    }
  }
  return ticket;
}

absl::Status Gate::CountMessage(const Caller& caller) {
  return access_ ? Counted(access_->Count(caller.token_name, caller.address)) : absl::OkStatus();
}

absl::Status Gate::Counted(absl::Status status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      refused_draining_.fetch_add(1, std::memory_order_relaxed);
      break;
    case absl::StatusCode::kResourceExhausted:
      refused_rate_limit_.fetch_add(1, std::memory_order_relaxed);
      break;
    case absl::StatusCode::kUnauthenticated:
      refused_unauthenticated_.fetch_add(1, std::memory_order_relaxed);
      break;
    case absl::StatusCode::kPermissionDenied:
      refused_forbidden_.fetch_add(1, std::memory_order_relaxed);
      break;
    default:
      break;
  }
  return status;
}

Gate::Refusals Gate::refusals() const {
  return {.draining = refused_draining_,
          .rate_limit = refused_rate_limit_,
          .unauthenticated = refused_unauthenticated_,
          .forbidden = refused_forbidden_};
}

void Gate::Leave() {
  calls_ -= 1;
  if (!draining_) return;
  MutexLock lock(mutex_);
  ended_.NotifyAll();
}

void Gate::AddStream(const std::shared_ptr<Drainable>& stream) {
  last_arrival_.store(Now(), std::memory_order_relaxed);
  {
    MutexLock lock(mutex_);
    streams_.insert(stream);
  }
  if (draining_) stream->Drain();  // perhaps for the second time
}

void Gate::RemoveStream(const std::shared_ptr<Drainable>& stream) {
  MutexLock lock(mutex_);
  streams_.erase(stream);
  ended_.NotifyAll();
}

size_t Gate::in_flight() const {
  MutexLock lock(mutex_);
  return calls_ + streams_.size();
}

void Gate::BeginDrain() {
  std::set<std::shared_ptr<Drainable>> streams;
  draining_ = true;
  {
    MutexLock lock(mutex_);
    streams = streams_;
  }
  for (const auto& stream : streams) stream->Drain();
}

bool Gate::WaitUntilQuiet(SteadyClock::time_point until) {
  MutexLock lock(mutex_);
  while (calls_ > 0 || !streams_.empty()) {
    if (SteadyClock::now() >= until) return false;
    ended_.WaitUntil(mutex_, until);
  }
  const auto latest = std::min(until, SteadyClock::now() + kMostLinger);
  while (SteadyClock::now() < std::min(latest, QuietAt())) ended_.WaitUntil(mutex_, std::min(latest, QuietAt()));
  return true;
}

bool Gate::quiet() const { return SteadyClock::now() >= QuietAt(); }

SteadyClock::time_point Gate::QuietAt() const {
  return SteadyClock::time_point(SteadyClock::duration(last_arrival_.load())) + kQuiet;
}

}  // namespace bertha::server
