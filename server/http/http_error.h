// What an error looks like over HTTP: the one place that turns a status into an HTTP code, headers and a JSON body, in
// the form that Google's HTTP APIs use:
//
//   {"error":{"code":429,"message":"...","status":"RESOURCE_EXHAUSTED",
//             "details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.250s"}]}}
//
// Source: google/rpc/code.proto and error_details.proto. Thread-safety: pure functions.
#ifndef BERTHA_SERVER_HTTP_HTTP_ERROR_H_
#define BERTHA_SERVER_HTTP_HTTP_ERROR_H_

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/http/http_message.h"

namespace bertha::server {

int HttpStatusOf(absl::StatusCode code);

/// The body alone, e.g. for an error in the middle of a stream. `retry_after` zero: no RetryInfo.
std::string ErrorJson(const absl::Status& status, std::chrono::milliseconds retry_after = {});

/// `status` is an error. With `retry_after` both the exact delay (RetryInfo) and Retry-After, in whole seconds, rounded
/// up; without, refusals that are worth another try (429, 503) still say one second.
HttpResponse ErrorResponse(const absl::Status& status, std::chrono::milliseconds retry_after = {});

/// A failure that only HTTP knows, e.g. 405 or 431; 500 if `http_status` is none of them.
HttpResponse TransportError(int http_status, absl::string_view message);

/// Makes the answer to a request that reaches no handler. Where the header could not be read, the request has an id and
/// a peer, perhaps a path, and not much else.
using HttpRefuse = std::function<HttpResponse(const HttpRequest&, const HttpFailure&)>;
/// A TransportError.
HttpResponse RefusePlainly(const HttpRequest&, const HttpFailure& failure);

/// "Not Found" for 404.
absl::string_view ReasonOf(int http_status);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_ERROR_H_
