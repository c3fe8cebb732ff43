#include "server/http/http_reply.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"

namespace bertha::server {
namespace {

struct Sent {
  std::vector<int> statuses;
  std::shared_ptr<HttpReply> Reply() {
    return std::make_shared<HttpReply>([this](HttpResponse response) { statuses.push_back(response.status); });
  }
};

class Calls final : public HttpStream::Backend {
 public:
  void Read(HttpStream::OnRead) override { log += "read "; }
  void Begin(HttpResponse) override { log += "begin "; }
  void Write(std::string, HttpStream::OnWrite) override { log += "write "; }
  void Finish() override { log += "finish "; }
  void Drop() override { log += "drop "; }
  void Post(std::function<void()>) override { log += "post "; }
  std::string log;
};

TEST_CASE("AReplyIsSentOnce") {
  Sent sent;
  auto reply = sent.Reply();
  reply->Send({.status = 204});
  reply->Send({.status = 200});
  reply.reset();
  CHECK(sent.statuses == std::vector<int>{204});
}

TEST_CASE("ADroppedReplyIsAnError") {
  Sent sent;
  sent.Reply().reset();
  CHECK(sent.statuses == std::vector<int>{500});
}

TEST_CASE("AbandonmentIsToldOnceAndOnlyBeforeTheAnswer") {
  Sent sent;
  int calls = 0;
  auto reply = sent.Reply();
  reply->OnAbandoned([&] { calls += 1; });
  reply->Abandon();
  reply->Abandon();
  CHECK(calls == 1);
  reply->OnAbandoned([&] { calls += 10; });  // too late: told at once
  CHECK(calls == 11);
  reply->Send({});
  CHECK(sent.statuses == std::vector<int>{200});

  auto answered = sent.Reply();
  answered->OnAbandoned([&] { calls += 100; });
  answered->Send({});
  answered->Abandon();
  answered->OnAbandoned([&] { calls += 100; });
  CHECK(calls == 11);
}

TEST_CASE("AnsweringLetsGoOfWhatTheCallbackHolds") {
  Sent sent;
  auto held = std::make_shared<int>(1);
  auto reply = sent.Reply();
  reply->OnAbandoned([held] {});
  CHECK(held.use_count() == 2);
  reply->Send({});
  CHECK(held.use_count() == 1);
}

TEST_CASE("AnAbandonedReplyMayBeSentFromItsCallback") {
  Sent sent;
  auto reply = sent.Reply();
  reply->OnAbandoned([&] { reply->Send({.status = 499}); });
  reply->Abandon();
  CHECK(sent.statuses == std::vector<int>{499});
}

TEST_CASE("ALateReplyIsToldOnceAndOnlyBeforeTheAnswer") {
  std::vector<int> statuses;
  std::vector<std::chrono::nanoseconds> alarms;
  const auto make = [&] {
    return std::make_shared<HttpReply>([&](HttpResponse response) { statuses.push_back(response.status); },
                                       [&](std::chrono::nanoseconds after) { alarms.push_back(after); });
  };
  auto late = make();
  late->OnLate(std::chrono::milliseconds(5), [&] { late->Send({.status = 504}); });
  CHECK(alarms == std::vector<std::chrono::nanoseconds>{std::chrono::milliseconds(5)});
  CHECK(statuses.empty());
  late->Expire();
  late->Expire();
  late->Send({.status = 200});
  CHECK(statuses == std::vector<int>{504});

  auto held = std::make_shared<int>(1);
  auto in_time = make();
  in_time->OnLate(std::chrono::milliseconds(5), [&, held] { in_time->Send({.status = 504}); });
  in_time->Send({.status = 200});
  CHECK(held.use_count() == 1);
  in_time->Expire();
  CHECK(statuses == std::vector<int>{504, 200});
}

TEST_CASE("AStreamThatIsNotFinishedIsDropped") {
  auto calls = std::make_shared<Calls>();
  std::make_shared<HttpStream>(calls)->Begin({});
  CHECK(calls->log == "begin drop ");
  calls->log.clear();
  auto stream = std::make_shared<HttpStream>(calls);
  stream->Write("x", [](bool) {});
  stream->Finish();
  stream->Finish();
  stream.reset();
  CHECK(calls->log == "write finish ");
}

}  // namespace
}  // namespace bertha::server
