#include "server/http_edge.h"

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/trace.h"

namespace bertha::server {

Caller CallerOf(const HttpRequest& request, const HttpEdge& edge) {
  const absl::string_view traceparent = request.headers.Get(kTraceparentHeader);
  const ForwardedHeader header = edge.forwarded_header;
  return {.address =
              ClientAddress(request.peer.address, header, request.headers.GetAll(NameOf(header)), edge.trusted_proxies),
          .request_id = request.id,
          .traceparent = IsTraceparent(traceparent) ? std::string(traceparent) : std::string()};
}

absl::StatusOr<batcher::TimePoint> DeadlineOf(const HttpRequest& request, const batcher::Clock& clock) {
  constexpr int64_t kMost = 24 * 60 * 60 * 1000;
  const std::string* timeout = request.headers.Find(kTimeoutHeader);
  if (!timeout) return batcher::TimePoint::max();
  int64_t ms = 0;
  if (!absl::SimpleAtoi(*timeout, &ms) || ms < 1 || ms > kMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("the header ", kTimeoutHeader, " is not a number of milliseconds from 1 to ", kMost));
  }
  return clock.Now() + std::chrono::milliseconds(ms);
}

}  // namespace bertha::server
