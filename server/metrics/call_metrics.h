// How often each call was made, over which transport, and how it ended.
//
// Thread-safety: filled before the server starts; then thread-safe, without locks.
#ifndef BERTHA_SERVER_METRICS_CALL_METRICS_H_
#define BERTHA_SERVER_METRICS_CALL_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace bertha::server {

/// Of one method over one transport.
struct CallCounters {
  static constexpr size_t kCodes = 17;  // of gRPC, OK included

  std::string transport, method;
  std::array<std::atomic<uint64_t>, kCodes> by_code{};

  void Count(absl::StatusCode code) {
    const auto index = static_cast<size_t>(code);
    by_code[index < kCodes ? index : static_cast<size_t>(absl::StatusCode::kUnknown)].fetch_add(
        1, std::memory_order_relaxed);
  }
};

class CallMetrics {
 public:
  /// Stays where it is.
  CallCounters& Add(std::string transport, std::string method) {
    CallCounters& counters = counters_.emplace_back();
    counters.transport = std::move(transport);
    counters.method = std::move(method);
    return counters;
  }
  const std::deque<CallCounters>& all() const { return counters_; }

 private:
  std::deque<CallCounters> counters_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METRICS_CALL_METRICS_H_
