// Sees how each call ends, whichever transport it came by: counts it, and logs it as `log.requests` says. Neither ever
// sees a text.
//
// Thread-safety: Register before the server starts; then thread-safe. Counting takes no lock.
#ifndef BERTHA_SERVER_CALL_OBSERVER_H_
#define BERTHA_SERVER_CALL_OBSERVER_H_

#include <string>

#include "absl/status/status.h"
#include "batcher/clock.h"
#include "server/caller.h"
#include "server/metrics/call_metrics.h"

namespace bertha::server {

/// Which calls are logged: none; those that failed through no fault of the caller's (INTERNAL, UNKNOWN, DATA_LOSS);
/// all.
enum class RequestLog { kNone, kErrors, kAll };

class CallObserver {
 public:
  explicit CallObserver(RequestLog log) : log_(log) {}

  /// For calls of `method` over `transport`; stays where it is.
  CallCounters& Register(std::string transport, std::string method) {
    return metrics_.Add(std::move(transport), std::move(method));
  }
  void OnEnd(CallCounters& counters, const Caller& caller, const absl::Status& status, batcher::Duration took) const;

  /// A request over HTTP that became no call, answered with `http_status`.
  void OnRefused(const Caller& caller, int http_status) const;

  const CallMetrics& metrics() const { return metrics_; }

 private:
  const RequestLog log_;
  CallMetrics metrics_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CALL_OBSERVER_H_
