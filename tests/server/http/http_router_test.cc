#include "server/http/http_router.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/http/http_target.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

HttpHandler Says(const std::string& text) {
  return [text](HttpRequest request, std::shared_ptr<HttpReply> reply) {
    std::string out = text;
    for (const auto& [name, value] : request.parameters) out += " " + name + "=" + value;
    HttpResponse response;
    response.body = out;
    reply->Send(std::move(response));
  };
}

HttpResponse Ask(const HttpRouter& router, const std::string& method, const std::string& target,
                 std::vector<HttpHeader> headers = {}) {
  HttpRequest request;
  request.method = method;
  REQUIRE(ParseTarget(target, request).ok());
  for (auto& [name, value] : headers) request.headers.Add(name, value);
  HttpResponse out;
  const HttpRoute route = router.Route(request);
  const auto reply = std::make_shared<HttpReply>([&](HttpResponse response) { out = std::move(response); });
  route.handler(request, reply);
  out.headers.insert(out.headers.end(), route.headers.begin(), route.headers.end());
  return out;
}

std::string Header(const HttpResponse& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

HttpRouter Sample(const std::string& cors = "") {
  HttpRouter router(*CorsOrigins::Parse(cors));
  router.Add("GET", "/", Says("root"));
  router.Add("GET", "/v2/models/{model}", Says("model"));
  router.Add("GET", "/v2/models/all", Says("all"));
  router.Add("GET", "/v2/models/{model}/ready", Says("ready"));
  router.Add("POST", "/v2/models/{model}/infer", Says("infer"));
  router.Add("POST", "/v2/models/{model}/versions/{version}/infer", Says("version"));
  router.Add("POST", "/v1/models/{model}:classify", Says("classify"));
  router.Add("POST", "/v1/models/{model}", Says("post"));
  return router;
}

TEST_CASE("TheBestPatternAnswers") {
  const HttpRouter router = Sample();
  const std::vector<std::vector<std::string>> cases = {
      {"GET", "/", "root"},
      {"GET", "/v2/models/a", "model model=a"},
      {"GET", "/v2/models/a%2Fb", "model model=a/b"},
      {"GET", "/v2/models/all", "all"},
      {"HEAD", "/v2/models/all", "all"},
      {"POST", "/v2/models/m/infer?x=1", "infer model=m"},
      {"POST", "/v2/models/m/versions/3/infer", "version model=m version=3"},
      {"POST", "/v1/models/m:classify", "classify model=m"},
      {"POST", "/v1/models/a:b:classify", "classify model=a:b"},
      {"POST", "/v1/models/m", "post model=m"},
  };
  for (const auto& c : cases) {
    CAPTURE(c[1]);
    CHECK(std::string(Ask(router, c[0], c[1]).body.view()) == c[2]);
  }
}

TEST_CASE("WhatIsNotThereIs404") {
  for (const char* target : {"/x", "/v2/models", "/v2/models/", "/v2/models/a/", "/V2/models/a", "//", "/v2//a", "*"}) {
    CAPTURE(target);
    CHECK(Ask(Sample(), "GET", target).status == 404);
  }
}

TEST_CASE("TheWrongMethodIsToldTheRightOnes") {
  const HttpRouter router = Sample();
  const HttpResponse response = Ask(router, "DELETE", "/v2/models/m/infer");
  CHECK(response.status == 405);
  CHECK(Header(response, "Allow") == "OPTIONS, POST");
  CHECK(Header(Ask(router, "POST", "/"), "Allow") == "GET, HEAD, OPTIONS");
  CHECK(Ask(router, "get", "/").status == 405);
}

TEST_CASE("WhoSaysHowARefusalLooksIsGivenRequestAndReason") {
  HttpRouter router({}, [](const HttpRequest& request, const HttpFailure& failure) {
    HttpResponse response = RefusePlainly(request, failure);
    response.body = request.path + " " + failure.message;
    return response;
  });
  router.Add("POST", "/a", Says("a"));
  CHECK(std::string(Ask(router, "GET", "/b").body.view()) == "/b there is nothing at this path");
  const HttpResponse wrong = Ask(router, "GET", "/a");
  CHECK(wrong.status == 405);
  CHECK(std::string(wrong.body.view()) == "/a this path answers OPTIONS, POST");
  CHECK(Header(wrong, "Allow") == "OPTIONS, POST");
}

TEST_CASE("OptionsNamesTheMethods") {
  const HttpResponse response = Ask(Sample(), "OPTIONS", "/v2/models/m/infer", {{"Origin", "https://a.example"}});
  CHECK(response.status == 204);
  CHECK(Header(response, "Allow") == "OPTIONS, POST");
  CHECK(Header(response, "Access-Control-Allow-Origin").empty());
  CHECK(Ask(Sample(), "OPTIONS", "*").status == 204);
}

TEST_CASE("OnlyListedOriginsGetCors") {
  const HttpRouter router = Sample("https://a.example, http://b.example:8080");
  const auto asked = [&](const std::string& origin) { return Ask(router, "GET", "/", {{"Origin", origin}}); };
  CHECK(Header(asked("https://a.example"), "Access-Control-Allow-Origin") == "https://a.example");
  CHECK(Header(asked("https://a.example"), "Vary") == "Origin");
  CHECK(Header(asked("http://b.example:8080"), "Access-Control-Allow-Origin") == "http://b.example:8080");
  for (const char* origin : {"https://a.example.evil", "http://a.example", "https://a.example:8443", "null", "*",
                             "https://A.example", "https://xa.example", ""}) {
    CAPTURE(origin);
    CHECK(Header(asked(origin), "Access-Control-Allow-Origin").empty());
    CHECK(Header(asked(origin), "Vary") == "Origin");
  }
  CHECK(Header(Ask(router, "GET", "/nothing", {{"Origin", "https://a.example"}}), "Access-Control-Allow-Origin") ==
        "https://a.example");
}

TEST_CASE("APreflightIsAnswered") {
  const std::vector<HttpHeader> headers = {{"Origin", "https://a.example"}, {"Access-Control-Request-Method", "POST"}};
  const HttpResponse response = Ask(Sample("https://a.example"), "OPTIONS", "/v2/models/m/infer", headers);
  CHECK(response.status == 204);
  CHECK(Header(response, "Access-Control-Allow-Origin") == "https://a.example");
  CHECK(Header(response, "Access-Control-Allow-Methods") == "OPTIONS, POST");
  for (const char* name : {"authorization", "content-type", "inference-header-content-length", "traceparent",
                           "tracestate", "x-request-id", "x-timeout-ms"}) {
    CAPTURE(name);
    CHECK((", " + Header(response, "Access-Control-Allow-Headers") + ",").find(" " + std::string(name) + ",") !=
          std::string::npos);
  }
  const HttpResponse refused = Ask(Sample("https://other.example"), "OPTIONS", "/v2/models/m/infer", headers);
  CHECK(Header(refused, "Access-Control-Allow-Origin").empty());
  CHECK(Header(refused, "Access-Control-Allow-Methods").empty());
}

TEST_CASE("AStarAllowsEveryOrigin") {
  CHECK(Header(Ask(Sample("*"), "GET", "/", {{"Origin", "https://x.example"}}), "Access-Control-Allow-Origin") == "*");
  CHECK(Header(Ask(Sample("*"), "GET", "/"), "Access-Control-Allow-Origin").empty());
}

TEST_CASE("WhatIsNoOriginIsRefused") {
  for (const char* list :
       {"a.example", "https://a.example/", "https://A.example", "https://*.a.example", "ftp://a", "https://"}) {
    CAPTURE(list);
    CHECK(CorsOrigins::Parse(list).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace bertha::server
