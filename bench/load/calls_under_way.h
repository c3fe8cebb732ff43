// The calls of a transport that have been sent, until their receivers are told how they ended.
#ifndef BERTHA_BENCH_LOAD_CALLS_UNDER_WAY_H_
#define BERTHA_BENCH_LOAD_CALLS_UNDER_WAY_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "batcher/clock.h"
#include "bench/load/complaints.h"
#include "bench/load/transport.h"
#include "bench/load/wait_group.h"

namespace bertha::load {

/// Whose call it is.
struct Sender {
  uint32_t number = 0;
  Receiver* receiver = nullptr;
};

/// Thread-safe.
class CallsUnderWay {
 public:
  /// `complaints` outlives it.
  explicit CallsUnderWay(Complaints& complaints) : complaints_(complaints) {}

  void Begin() { group_.Add(); }
  /// Once for each Begin. Tells the receiver, and the complaints what `error` says of a `code` that is not OK.
  void End(const Sender& sender, absl::StatusCode code, absl::string_view error,
           const std::optional<ServerSplit>& server = std::nullopt) {
    if (code != absl::StatusCode::kOk) complaints_.Add(code, error);
    sender.receiver->OnReply(sender.number, code, server);
    group_.Done();
  }

  /// False if a call is still under way then.
  bool Wait(batcher::TimePoint until) { return group_.Wait(until); }

 private:
  Complaints& complaints_;
  WaitGroup group_;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_CALLS_UNDER_WAY_H_
