// Who calls, and what came with the call besides its message.
#ifndef BERTHA_SERVER_CALLER_H_
#define BERTHA_SERVER_CALLER_H_

#include <string>

#include "batcher/clock.h"

namespace bertha::server {

struct Caller {
  /// When the answer is of no use any more; max(): never.
  batcher::TimePoint deadline = batcher::TimePoint::max();
  /// The client's address without its port, e.g. "10.0.0.7".
  std::string address;
  /// The name of the token that the call came with; empty: none was asked for. Set by the Gate.
  std::string token_name;
  /// Names the call in logs and replies; never empty. See trace.h.
  std::string request_id;
  /// The caller's W3C trace context, or empty.
  std::string traceparent;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CALLER_H_
