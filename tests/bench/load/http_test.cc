// The HTTP transport against the project's own HTTP server.
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/mutex.h"
#include "bench/load/http_transport.h"
#include "bench/load/wait_group.h"
#include "server/http/http_server.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

using absl::StatusCode;
using server::HttpReply;
using server::HttpRequest;
using server::HttpServer;

const std::vector<std::string> kTexts = {"plain", "\"quoted\" \\ {model} \n naïve"};

/// Answers what `answer` says; keeps the bodies that came.
class FakeServer {
 public:
  using Answer = std::function<void(const HttpRequest&, std::shared_ptr<HttpReply>)>;

  explicit FakeServer(Answer answer) {
    auto started = HttpServer::Start({.address = "127.0.0.1:0"}, [this, answer](HttpRequest&) {
      return server::HttpRoute{.handler = [this, answer](HttpRequest request, std::shared_ptr<HttpReply> reply) {
        {
          MutexLock lock(mutex_);
          bodies_.push_back(absl::StrCat(request.path, " ", request.body));
        }
        answer(request, std::move(reply));
      }};
    });
    REQUIRE(started.ok());
    server_ = *std::move(started);
  }

  std::unique_ptr<Transport> Open(size_t channels = 1) {
    auto transport = OpenHttp({.address = absl::StrCat("127.0.0.1:", server_->port()),
                               .path = "/models/{model}",
                               .body = R"({"model": "{model}", "text": {text}})",
                               .channels = channels},
                              {{.name = "m"}}, kTexts);
    REQUIRE(transport.ok());
    return *std::move(transport);
  }
  std::vector<std::string> bodies() {
    MutexLock lock(mutex_);
    return bodies_;
  }
  HttpServer& server() { return *server_; }

 private:
  Mutex mutex_;
  std::vector<std::string> bodies_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpServer> server_;  // last: it calls back
};

class Replies final : public Receiver {
 public:
  explicit Replies(size_t expected) : group_(expected) {}
  void OnReply(uint32_t number, StatusCode code, const std::optional<ServerSplit>&) override {
    {
      MutexLock lock(mutex_);
      codes_[number] = code;
    }
    group_.Done();
  }
  std::map<uint32_t, StatusCode> Wait() {
    group_.Wait(batcher::TimePoint::max());
    MutexLock lock(mutex_);
    return codes_;
  }

 private:
  WaitGroup group_;
  Mutex mutex_;
  std::map<uint32_t, StatusCode> codes_ ABSL_GUARDED_BY(mutex_);
};

void Fine(const HttpRequest&, std::shared_ptr<HttpReply> reply) { reply->Send({.body = std::string("{}")}); }

TEST_CASE("TextsAndModelsStandInTheBodyAsJson") {
  FakeServer server(Fine);
  const auto transport = server.Open();
  for (uint32_t i = 0; i < 2; ++i) {
    Replies replies(1);
    transport->Send(0, {.number = i, .text = i}, replies);
    CHECK(replies.Wait().at(i) == StatusCode::kOk);
  }
  CHECK(server.bodies() == std::vector<std::string>{R"(/models/m {"model": "m", "text": "plain"})",
                                                    "/models/m {\"model\": \"m\", \"text\": "
                                                    "\"\\\"quoted\\\" \\\\ {model} \\n naïve\"}"});
}

TEST_CASE("CallsOneAfterTheOtherShareAConnection") {
  FakeServer server(Fine);
  const auto transport = server.Open();
  for (uint32_t i = 0; i < 20; ++i) {
    Replies replies(1);
    transport->Send(0, {.number = i}, replies);
    replies.Wait();
  }
  CHECK(server.server().stats().requests == 20);
  CHECK(server.server().stats().accepted_connections == 2);  // one looked whether somebody listens
}

TEST_CASE("ManyCallsAreInFlightAtOnce") {
  Mutex mutex;
  std::vector<std::shared_ptr<HttpReply>> waiting;
  FakeServer server([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    MutexLock lock(mutex);
    waiting.push_back(std::move(reply));
    if (waiting.size() < 30) return;
    for (const auto& each : waiting) each->Send({.body = std::string("{}")});
    waiting.clear();
  });
  const auto transport = server.Open(2);
  Replies replies(30);
  for (uint32_t i = 0; i < 30; ++i) transport->Send(i % 2, {.number = i}, replies);
  for (const auto& [number, code] : replies.Wait()) CHECK(code == StatusCode::kOk);
}

TEST_CASE("AStatusBecomesACode") {
  const auto [status, code] = GENERATE(table<int, StatusCode>({{200, StatusCode::kOk},
                                                               {204, StatusCode::kOk},
                                                               {400, StatusCode::kInvalidArgument},
                                                               {404, StatusCode::kNotFound},
                                                               {429, StatusCode::kResourceExhausted},
                                                               {500, StatusCode::kInternal},
                                                               {503, StatusCode::kUnavailable},
                                                               {504, StatusCode::kDeadlineExceeded}}));
  FakeServer server(
      [status = status](const HttpRequest&, std::shared_ptr<HttpReply> reply) { reply->Send({.status = status}); });
  const auto transport = server.Open();
  Replies replies(1);
  transport->Send(0, {}, replies);
  CHECK(replies.Wait().at(0) == code);
}

TEST_CASE("ACallThatIsNotAnsweredEndsAtItsDeadlineOrWhenAllAreCancelled") {
  Mutex mutex;
  std::vector<std::shared_ptr<HttpReply>> kept;
  FakeServer server([&](const HttpRequest&, std::shared_ptr<HttpReply> reply) {
    MutexLock lock(mutex);
    kept.push_back(std::move(reply));
  });
  const auto transport = server.Open();
  Replies late(1), cancelled(1);
  transport->Send(0, {.left = std::chrono::milliseconds(50)}, late);
  CHECK(late.Wait().at(0) == StatusCode::kDeadlineExceeded);
  transport->Send(0, {}, cancelled);
  transport->CancelAll();
  CHECK(cancelled.Wait().at(0) == StatusCode::kCancelled);
  MutexLock lock(mutex);
  kept.clear();
}

TEST_CASE("AServerThatIsGoneIsUnavailable") {
  auto server = std::make_unique<FakeServer>(Fine);
  const auto transport = server->Open();
  Replies first(1), second(1);
  transport->Send(0, {}, first);
  CHECK(first.Wait().at(0) == StatusCode::kOk);
  const std::string address = absl::StrCat("127.0.0.1:", server->server().port());
  server.reset();
  transport->Send(0, {}, second);
  CHECK(second.Wait().at(0) == StatusCode::kUnavailable);
  CHECK(OpenHttp({.address = address}, {{}}, kTexts).status().code() == StatusCode::kUnavailable);
}

TEST_CASE("ATemplateWithoutAPlaceForTheTextIsRefused") {
  CHECK(OpenHttp({.address = "127.0.0.1:1", .body = "{}"}, {{}}, kTexts).status().code() ==
        StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bertha::load
