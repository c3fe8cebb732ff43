// What names a call across processes: W3C trace context (https://www.w3.org/TR/trace-context/) and a request id.
//
// Thread-safety: pure functions.
#ifndef BERTHA_SERVER_TRACE_H_
#define BERTHA_SERVER_TRACE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace bertha::server {

/// Metadata keys and HTTP headers, in lower case.
inline constexpr char kRequestIdHeader[] = "x-request-id";
inline constexpr char kTraceparentHeader[] = "traceparent";

/// `given` if it is fit for logs and headers: 1 to 128 letters, digits and -_.:/+=@ . Else a new one of 32 hex digits,
/// which is the trace id if the caller has one.
std::string RequestIdFor(absl::string_view given, absl::string_view traceparent);

/// Whether a traceparent header is valid, of version 00 or of a later one that begins like it.
bool IsTraceparent(absl::string_view header);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TRACE_H_
