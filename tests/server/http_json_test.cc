// A call over HTTP and its deadline: one reply, whoever comes first.
#include "server/http_json.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "bertha/v1/bertha.pb.h"
#include "server/http/http_target.h"
#include "server/http_rest.h"
#include "server/oip/methods.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;

/// A method that ends when it is told to.
struct Script {
  struct Call final : Operation {
    void Cancel() override { cancelled += 1; }
    std::atomic<int> cancelled = 0;
  };

  template <class Request, class Response>
  Method As(const google::protobuf::ServiceDescriptor& service, const char* name) {
    return MakeMethod<Request, Response>(service, name, Scope::kInfer,
                                         [this](const Caller&, const Request&, Response&, Done end) {
                                           done = std::move(end);
                                           return call;
                                         });
  }
  void End(const absl::Status& status) { std::exchange(done, nullptr)(status); }

  std::shared_ptr<Call> call = std::make_shared<Call>();
  Done done;
};

struct Fixture {
  Fixture() : edge{gate, clock, observer, [](const absl::Status&) { return 0u; }, {}}, router(*CorsOrigins::Parse("")) {
    const auto& bertha = *v1::ClassifyRequest::descriptor()->file()->FindServiceByName("Bertha");
    AddJsonRoutes({script.As<v1::ClassifyRequest, v1::ClassifyResponse>(bertha, "Classify")}, edge, router);
    AddRestRoutes(
        {script.As<inference::ModelInferRequest, inference::ModelInferResponse>(oip::Service(), "ModelInfer")}, edge,
        router);
  }

  /// Starts a call. The reply is the server's as long as the call holds it.
  std::weak_ptr<HttpReply> Post(const std::string& path, const std::string& timeout_ms) {
    HttpRequest request;
    request.method = "POST";
    request.body = "{}";
    if (path != "/v1/classify") request.body = R"({"inputs": []})";
    REQUIRE(ParseTarget(path, request).ok());
    if (!timeout_ms.empty()) request.headers.Add(kTimeoutHeader, timeout_ms);
    const HttpRoute route = router.Route(request);
    const auto reply =
        std::make_shared<HttpReply>([this](HttpResponse response) { sent.push_back(std::move(response)); },
                                    [this](std::chrono::nanoseconds after) { alarm = after; });
    route.handler(request, reply);
    return reply;
  }
  std::vector<int> Statuses() const {
    std::vector<int> statuses;
    for (const HttpResponse& response : sent) statuses.push_back(response.status);
    return statuses;
  }
  uint64_t Counted(absl::StatusCode code) const {
    uint64_t count = 0;
    for (const CallCounters& counters : observer.metrics().all()) count += counters.by_code[static_cast<size_t>(code)];
    return count;
  }

  batcher::FakeClock clock;
  Gate gate;
  CallObserver observer{RequestLog::kNone};
  HttpEdge edge;
  HttpRouter router;
  Script script;
  std::vector<HttpResponse> sent;
  std::optional<std::chrono::nanoseconds> alarm;
};

constexpr const char* kPaths[] = {"/v1/classify", "/v2/models/m/infer"};

TEST_CASE("ACallIsAnsweredAtItsDeadlineThoughItsMethodIsStillAtWork") {
  for (const char* path : kPaths) {
    CAPTURE(path);
    Fixture f;
    const auto reply = f.Post(path, "40");
    CHECK(f.alarm == milliseconds(40));
    CHECK(f.sent.empty());
    f.clock.Advance(milliseconds(40));
    reply.lock()->Expire();
    CHECK(f.Statuses() == std::vector<int>{504});
    CHECK(absl::StrContains(f.sent[0].body.view(), "the deadline (x-timeout-ms) passed before the answer"));
    CHECK(f.script.call->cancelled == 1);
    CHECK(f.gate.in_flight() == 1);  // a drain waits for the method, which still uses its messages

    f.script.End(absl::CancelledError("cancelled by the caller"));
    CHECK(f.Statuses() == std::vector<int>{504});
    CHECK(f.gate.in_flight() == 0);
    CHECK(f.Counted(absl::StatusCode::kDeadlineExceeded) == 1);
    CHECK(f.Counted(absl::StatusCode::kCancelled) == 0);
    CHECK(reply.expired());
  }
}

TEST_CASE("AnAnswerInTimeIsTheOnlyOne") {
  for (const char* path : kPaths) {
    CAPTURE(path);
    Fixture f;
    const auto reply = f.Post(path, "40");
    const auto held = reply.lock();
    f.script.End(absl::OkStatus());
    CHECK(f.Statuses() == std::vector<int>{200});
    held->Expire();
    CHECK(f.Statuses() == std::vector<int>{200});
    CHECK(f.script.call->cancelled == 0);
    CHECK(f.Counted(absl::StatusCode::kOk) == 1);
    CHECK(f.gate.in_flight() == 0);
  }
}

TEST_CASE("AnAnswerAfterTheDeadlineIs504EvenIfTheTimerIsLate") {
  Fixture f;
  f.Post("/v1/classify", "40");
  f.clock.Advance(milliseconds(41));
  f.script.End(absl::OkStatus());
  CHECK(f.Statuses() == std::vector<int>{504});
}

TEST_CASE("ACallWithoutADeadlineHasNoTimer") {
  Fixture f;
  f.Post("/v1/classify", "");
  CHECK_FALSE(f.alarm);
  f.clock.Advance(std::chrono::hours(1));
  f.script.End(absl::OkStatus());
  CHECK(f.Statuses() == std::vector<int>{200});
}

TEST_CASE("TheDeadlineMayPassAtTheMomentOfTheAnswer") {
  for (int i = 0; i < 200; ++i) {
    Fixture f;
    const auto reply = f.Post("/v1/classify", "40").lock();
    std::thread loop([&] { reply->Expire(); });
    f.script.End(absl::OkStatus());
    loop.join();
    REQUIRE(f.sent.size() == 1);
    CHECK(f.gate.in_flight() == 0);
    CHECK(f.Counted(absl::StatusCode::kOk) + f.Counted(absl::StatusCode::kDeadlineExceeded) == 1);
  }
}

}  // namespace
}  // namespace bertha::server
