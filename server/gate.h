// What every call passes, whichever transport it came by: counts those under way, refuses new ones while the server
// drains, and lets in who may (Access).
//
// Thread-safety: thread-safe. Enter and the end of a Ticket take no lock of their own unless the server drains.
#ifndef BERTHA_SERVER_GATE_H_
#define BERTHA_SERVER_GATE_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "batcher/mutex.h"
#include "server/access.h"
#include "server/caller.h"

namespace bertha::server {

/// Something long-lived that must be told to come to its end, e.g. a stream.
class Drainable {
 public:
  virtual ~Drainable() = default;
  /// May be called more than once.
  virtual void Drain() = 0;
};

class Gate {
 public:
  /// A call, from its arrival until it has ended and its reply has been handed over to its transport.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(gate_, other.gate_);
      return *this;
    }
    ~Ticket() {
      if (gate_) gate_->Leave();
    }

   private:
    friend class Gate;
    explicit Ticket(Gate* gate) : gate_(gate) {}
    Gate* gate_ = nullptr;
  };

  /// `access` outlives this; null: everybody may do everything.
  explicit Gate(Access* access = nullptr, Listener listener = Listener::kMain) : access_(access), listener_(listener) {}

  /// Counts a call or the opening of a stream, and sets `caller.token_name`. `authorization`: the header's value.
  /// `status` if it must be refused, which is a reply too: UNAVAILABLE while the server drains, or as Access::Check.
  Ticket Enter(Scope scope, absl::string_view authorization, Caller& caller, absl::Status& status);
  /// Counts one more message of a stream, RESOURCE_EXHAUSTED as Access::Count.
  absl::Status CountMessage(const Caller& caller);

  /// A stream that is open. It is told to drain, at once if the server does already.
  void AddStream(const std::shared_ptr<Drainable>& stream);
  void RemoveStream(const std::shared_ptr<Drainable>& stream);

  /// From now on new calls get UNAVAILABLE, and streams are told to end.
  void BeginDrain();
  /// Waits until all calls and streams have ended, and then, for two seconds at most, until no new ones come: whoever
  /// closes a listener ends calls that arrive just then without a word. False if `until` came before the end of the
  /// last call.
  bool WaitUntilQuiet(std::chrono::steady_clock::time_point until);

  /// Whether no call has come for a moment: the end of WaitUntilQuiet, unless callers kept coming.
  bool quiet() const;

  /// Unary calls and streams that are under way.
  size_t in_flight() const;

  /// Calls and messages of streams that were refused so far, by why.
  struct Refusals {
    uint64_t draining = 0, rate_limit = 0, unauthenticated = 0, forbidden = 0;
  };
  Refusals refusals() const;

 private:
  void Leave();
  /// Counts `status` if it is a refusal, and returns it.
  absl::Status Counted(absl::Status status);
  /// When it will be quiet if no call comes.
  std::chrono::steady_clock::time_point QuietAt() const;

  Access* const access_;
  const Listener listener_;
  std::atomic<size_t> calls_ = 0;  // unary ones
  std::atomic<uint64_t> refused_draining_ = 0, refused_rate_limit_ = 0, refused_unauthenticated_ = 0,
                        refused_forbidden_ = 0;
  std::atomic<std::chrono::steady_clock::rep> last_arrival_ = 0;
  std::atomic<bool> draining_ = false;
  mutable Mutex mutex_;
  CondVar ended_;
  std::set<std::shared_ptr<Drainable>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GATE_H_
