// What all HTTP handlers of a server use; outlives them.
#ifndef BERTHA_SERVER_HTTP_EDGE_H_
#define BERTHA_SERVER_HTTP_EDGE_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "server/call_observer.h"
#include "server/caller.h"
#include "server/client_address.h"
#include "server/gate.h"
#include "server/http/http_message.h"

namespace bertha::server {

struct HttpEdge {
  Gate& gate;
  const batcher::Clock& clock;
  CallObserver& observer;
  /// When to try again after a refusal, in milliseconds; 0 if trying again does not help.
  std::function<uint32_t(const absl::Status&)> retry_after_ms;
  TrustedProxies trusted_proxies;
  ForwardedHeader forwarded_header = ForwardedHeader::kXForwardedFor;
};

/// Header that says for how many milliseconds the answer is of use.
inline constexpr char kTimeoutHeader[] = "x-timeout-ms";

/// What HTTP knows of a call, but for its deadline.
Caller CallerOf(const HttpRequest& request, const HttpEdge& edge);
/// INVALID_ARGUMENT if there is a deadline that is none.
absl::StatusOr<batcher::TimePoint> DeadlineOf(const HttpRequest& request, const batcher::Clock& clock);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_EDGE_H_
