#include "server/http/http_error.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kUsualRetry{1000};

struct Row {
  int http_status;
  const char* reason;
  /// Of failures that only HTTP knows.
  absl::StatusCode code = absl::StatusCode::kUnknown;
};

constexpr Row kRows[] = {
    {100, "Continue"},
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request", absl::StatusCode::kInvalidArgument},
    {401, "Unauthorized", absl::StatusCode::kUnauthenticated},
    {403, "Forbidden", absl::StatusCode::kPermissionDenied},
    {404, "Not Found", absl::StatusCode::kNotFound},
    {405, "Method Not Allowed", absl::StatusCode::kUnimplemented},
    {408, "Request Timeout", absl::StatusCode::kDeadlineExceeded},
    {409, "Conflict", absl::StatusCode::kAborted},
    {413, "Content Too Large", absl::StatusCode::kInvalidArgument},
    {414, "URI Too Long", absl::StatusCode::kInvalidArgument},
    {415, "Unsupported Media Type", absl::StatusCode::kInvalidArgument},
    {417, "Expectation Failed", absl::StatusCode::kInvalidArgument},
    {429, "Too Many Requests", absl::StatusCode::kResourceExhausted},
    {431, "Request Header Fields Too Large", absl::StatusCode::kInvalidArgument},
    {499, "Client Closed Request", absl::StatusCode::kCancelled},
    {500, "Internal Server Error", absl::StatusCode::kInternal},
    {501, "Not Implemented", absl::StatusCode::kUnimplemented},
    {503, "Service Unavailable", absl::StatusCode::kUnavailable},
    {504, "Gateway Timeout", absl::StatusCode::kDeadlineExceeded},
    {505, "HTTP Version Not Supported", absl::StatusCode::kUnimplemented},
};

const Row* Find(int http_status) {
  const Row* row = std::ranges::find(kRows, http_status, &Row::http_status);
  return row == std::end(kRows) ? nullptr : row;
}

std::string Json(int http_status, const absl::Status& status, milliseconds retry_after) {
  nlohmann::ordered_json error = {{"code", http_status},
                                  {"message", std::string(status.message())},
                                  {"status", absl::StatusCodeToString(status.code())}};
  if (retry_after > milliseconds::zero()) {
    const std::string delay = absl::StrFormat("%d.%03ds", retry_after.count() / 1000, retry_after.count() % 1000);
    error["details"] = {{{"@type", "type.googleapis.com/google.rpc.RetryInfo"}, {"retryDelay", delay}}};
  }
  return nlohmann::ordered_json{{"error", error}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HttpResponse Response(int http_status, const absl::Status& status, milliseconds retry_after) {
  HttpResponse response = {.status = http_status, .content_type = "application/json"};
  response.body = Json(http_status, status, retry_after);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (http_status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (http_status == 429 || http_status == 503) {
    const auto delay = std::chrono::ceil<std::chrono::seconds>(std::max(retry_after, milliseconds(1)));
    response.headers.emplace_back("Retry-After", absl::StrCat(delay.count()));
  }
  return response;
}

}  // namespace

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

std::string ErrorJson(const absl::Status& status, milliseconds retry_after) {
  return Json(HttpStatusOf(status.code()), status, retry_after);
}

HttpResponse ErrorResponse(const absl::Status& status, milliseconds retry_after) {
  return Response(HttpStatusOf(status.code()), status, retry_after);
}

HttpResponse TransportError(int http_status, absl::string_view message) {
  const Row* row = Find(http_status);
  const absl::StatusCode code = row ? row->code : absl::StatusCode::kInternal;
  const bool retry = http_status == 429 || http_status == 503;
  return Response(row ? http_status : 500, absl::Status(code, message), retry ? kUsualRetry : milliseconds::zero());
}

HttpResponse RefusePlainly(const HttpRequest&, const HttpFailure& failure) {
  return TransportError(failure.status, failure.message);
}

absl::string_view ReasonOf(int http_status) {
  const Row* row = Find(http_status);
  return row ? row->reason : "";
}

}  // namespace bertha::server
