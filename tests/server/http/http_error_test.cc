#include "server/http/http_error.h"

#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

std::string Header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

json Body(const HttpResponse& response) { return json::parse(std::string(response.body.view())); }

TEST_CASE("EveryCodeHasItsHttpStatus") {
  const std::vector<std::pair<absl::StatusCode, int>> cases = {
      {absl::StatusCode::kOk, 200},
      {absl::StatusCode::kInvalidArgument, 400},
      {absl::StatusCode::kFailedPrecondition, 400},
      {absl::StatusCode::kOutOfRange, 400},
      {absl::StatusCode::kUnauthenticated, 401},
      {absl::StatusCode::kPermissionDenied, 403},
      {absl::StatusCode::kNotFound, 404},
      {absl::StatusCode::kAborted, 409},
      {absl::StatusCode::kAlreadyExists, 409},
      {absl::StatusCode::kResourceExhausted, 429},
      {absl::StatusCode::kCancelled, 499},
      {absl::StatusCode::kInternal, 500},
      {absl::StatusCode::kUnknown, 500},
      {absl::StatusCode::kDataLoss, 500},
      {absl::StatusCode::kUnimplemented, 501},
      {absl::StatusCode::kUnavailable, 503},
      {absl::StatusCode::kDeadlineExceeded, 504},
  };
  for (const auto& [code, http] : cases) {
    CAPTURE(static_cast<int>(code));
    CHECK(HttpStatusOf(code) == http);
    CHECK_FALSE(ReasonOf(http).empty());
    if (http == 200) continue;
    const json error = Body(ErrorResponse(absl::Status(code, "why")))["error"];
    CHECK(error["code"] == http);
    CHECK(error["status"] == absl::StatusCodeToString(code));
    CHECK(error["message"] == "why");
    CHECK_FALSE(error.contains("details"));
  }
}

TEST_CASE("ADelayStandsExactlyInTheBodyAndRoundedUpInTheHeader") {
  const std::vector<std::pair<int, std::pair<std::string, std::string>>> cases = {
      {1, {"0.001s", "1"}},    {250, {"0.250s", "1"}},     {1000, {"1.000s", "1"}},
      {1001, {"1.001s", "2"}}, {61500, {"61.500s", "62"}},
  };
  for (const auto& [ms, expected] : cases) {
    CAPTURE(ms);
    const HttpResponse response = ErrorResponse(absl::ResourceExhaustedError("full"), milliseconds(ms));
    CHECK(response.status == 429);
    CHECK(response.content_type == "application/json");
    CHECK(Header(response, "Retry-After") == expected.second);
    const json detail = Body(response)["error"]["details"];
    CHECK(detail == json::parse(R"([{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":")" +
                                expected.first + R"("}])"));
  }
}

TEST_CASE("RefusalsAlwaysSayWhenToComeBack") {
  CHECK(Header(ErrorResponse(absl::UnavailableError("x")), "Retry-After") == "1");
  CHECK(Header(TransportError(503, "x"), "Retry-After") == "1");
  CHECK(Header(ErrorResponse(absl::NotFoundError("x")), "Retry-After").empty());
  CHECK(Header(ErrorResponse(absl::UnauthenticatedError("x")), "WWW-Authenticate") == "Bearer");
}

TEST_CASE("TransportFailuresHaveTheSameBody") {
  for (const int status : {400, 404, 405, 408, 413, 414, 417, 431, 501, 505}) {
    const HttpResponse response = TransportError(status, "why");
    CAPTURE(status);
    CHECK(response.status == status);
    CHECK(Body(response)["error"]["code"] == status);
    CHECK(Body(response)["error"]["message"] == "why");
  }
  CHECK(Body(TransportError(404, ""))["error"]["status"] == "NOT_FOUND");
  CHECK(TransportError(299, "x").status == 500);
}

TEST_CASE("MessagesThatAreNoTextStillMakeJson") {
  const json error = Body(ErrorResponse(absl::InvalidArgumentError("a\"\n\xff\x01")))["error"];
  CHECK(error["message"] == "a\"\n\xEF\xBF\xBD\x01");
}

}  // namespace
}  // namespace bertha::server
