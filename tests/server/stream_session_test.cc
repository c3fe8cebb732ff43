#include "server/stream_session.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/server/fixture.h"
#include "tests/server/infer_fixture.h"

namespace bertha::server {
namespace {

using absl::StatusCode;

/// A transport whose reactions the test triggers, as gRPC's threads would.
template <class Protocol>
class FakeTransportOf final : public StreamTransportOf<Protocol> {
 public:
  using Reply = typename Protocol::Reply;
  using Session = StreamSessionOf<Protocol>;

  void StartRead() override {
    MutexLock lock(mutex_);
    CHECK_SAFE(!finished_);
    reads_ += 1;
    changed_.NotifyAll();
  }
  void StartWrite(const Reply& response) override {
    MutexLock lock(mutex_);
    CHECK_SAFE(!finished_ && !writing_);
    writing_ = true;
    written_.push_back(response);
    changed_.NotifyAll();
  }
  void OnEnd(const absl::Status&) override { ended += 1; }
  void Finish(const absl::Status& status) override {
    MutexLock lock(mutex_);
    CHECK_SAFE(!finished_ && !writing_);
    finished_ = true;
    status_ = status;
    changed_.NotifyAll();
  }

  std::atomic<int> ended = 0;

  /// Waits for the next write and reports it as done.
  Reply Take(Session& session) {
    Reply reply;
    {
      MutexLock lock(mutex_);
      while (!writing_) changed_.Wait(mutex_);
      writing_ = false;
      reply = written_.back();
    }
    session.OnWriteDone();
    return reply;
  }
  /// The same, or false once the stream is finished.
  bool TakeOrFinish(Session& session) {
    {
      MutexLock lock(mutex_);
      while (!writing_ && !finished_) changed_.Wait(mutex_);
      if (!writing_) return false;
      writing_ = false;
    }
    session.OnWriteDone();
    return true;
  }
  /// Waits for the n-th read; false once the stream is finished.
  bool AwaitReadsOrFinish(int n) {
    MutexLock lock(mutex_);
    while (reads_ < n && !finished_) changed_.Wait(mutex_);
    return !finished_;
  }
  void AwaitReads(int n) {
    MutexLock lock(mutex_);
    while (reads_ < n) changed_.Wait(mutex_);
  }
  absl::Status AwaitFinish() {
    MutexLock lock(mutex_);
    while (!finished_) changed_.Wait(mutex_);
    return status_;
  }
  int reads() {
    MutexLock lock(mutex_);
    return reads_;
  }
  bool finished() {
    MutexLock lock(mutex_);
    return finished_;
  }
  bool broken() {
    MutexLock lock(mutex_);
    return broken_;
  }

 private:
  void CHECK_SAFE(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { broken_ |= !ok; }

  Mutex mutex_;
  CondVar changed_;
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::vector<Reply> written_ ABSL_GUARDED_BY(mutex_);
};

using FakeTransport = FakeTransportOf<ClassifyStream>;

struct Fixture : InferenceFixture {
  explicit Fixture(size_t max_in_flight = 8, bool gated = false) {
    auto* encoder = AddModel("m");
    if (gated) {
      encoder->on_run = [this](const std::vector<int32_t>&) {
        gate.Pass();
        return absl::OkStatus();
      };
    }
    session = std::make_shared<StreamSession>(inference, transport, batcher::TimePoint::max(), max_in_flight);
    session->Start();
  }
  ~Fixture() {  // no thread may be on its way through what is destroyed here
    gate.Open();
    dispatcher.Stop();
  }
  void Send(uint64_t id, const std::string& text, uint32_t timeout_ms = 0) {
    v1::StreamClassifyRequest request;
    request.set_id(id);
    request.set_timeout_ms(timeout_ms);
    *request.mutable_request() = Request({text});
    session->OnRequest(std::move(request));
  }

  batcher::Gate gate;
  FakeTransport transport;
  std::shared_ptr<StreamSession> session;
};

TEST_CASE("EveryRequestOfAStreamGetsAReplyWithItsIdAndTheStreamEndsAfterTheLast") {
  Fixture f;
  f.Send(5, "a");
  f.Send(9, "b");
  f.session->OnReadsDone();
  std::map<uint64_t, v1::StreamClassifyResponse> replies;
  for (int i = 0; i < 2; ++i) {
    v1::StreamClassifyResponse reply = f.transport.Take(*f.session);
    replies[reply.id()] = reply;
  }
  CHECK(replies.at(5).response().results_size() == 1);
  CHECK(replies.at(9).response().model().name() == "m");
  CHECK(f.transport.AwaitFinish().ok());
  CHECK(f.transport.ended == 2);
  CHECK_FALSE(f.transport.broken());
}

TEST_CASE("AnErrorOfOneRequestIsAReplyAndTheStreamGoesOn") {
  Fixture f;
  f.Send(1, "!");
  v1::StreamClassifyResponse reply = f.transport.Take(*f.session);
  CHECK(reply.id() == 1);
  CHECK(reply.error().code() == static_cast<uint32_t>(StatusCode::kInvalidArgument));
  CHECK(reply.error().message() == "inputs[0].text: invalid UTF-8 at byte 0");
  f.session->OnRefused(2, absl::InvalidArgumentError("bad bytes"));
  reply = f.transport.Take(*f.session);
  CHECK(reply.id() == 2);
  CHECK(reply.error().message() == "bad bytes");
  f.Send(3, "fine");
  CHECK(f.transport.Take(*f.session).has_response());
}

TEST_CASE("ReadingPausesAtTheLimitAndGoesOnAfterAReply") {
  Fixture f(2, /*gated=*/true);
  f.Send(1, "a");
  f.gate.AwaitArrivals(1);
  CHECK(f.transport.reads() == 2);
  f.Send(2, "b");
  CHECK(f.transport.reads() == 2);
  f.gate.Open();
  f.transport.Take(*f.session);
  f.transport.AwaitReads(3);
}

TEST_CASE("ARequestsOwnTimeoutEndsItWithoutTheOthers") {
  Fixture f(8, /*gated=*/true);
  f.Send(1, "a");
  f.gate.AwaitArrivals(1);
  f.Send(2, "b", 5);
  f.Send(3, "c");
  f.clock.Advance(std::chrono::milliseconds(5));
  f.gate.Open();
  std::map<uint64_t, v1::StreamClassifyResponse> replies;
  for (int i = 0; i < 3; ++i) {
    v1::StreamClassifyResponse reply = f.transport.Take(*f.session);
    replies[reply.id()] = reply;
  }
  CHECK(replies.at(2).error().code() == static_cast<uint32_t>(StatusCode::kDeadlineExceeded));
  CHECK(replies.at(1).has_response());
  CHECK(replies.at(3).has_response());
}

TEST_CASE("ACancelledStreamCancelsWhatWaitsAndFinishesOnce") {
  Fixture f(8, /*gated=*/true);
  f.Send(1, "a");
  f.gate.AwaitArrivals(1);
  f.Send(2, "b");
  f.session->OnCancel();
  CHECK_FALSE(f.transport.finished());
  f.gate.Open();
  CHECK(f.transport.AwaitFinish().code() == StatusCode::kCancelled);
  CHECK_FALSE(f.transport.broken());
}

TEST_CASE("ADrainedStreamAnswersWhatWasReadThenEndsUnavailable") {
  Fixture f(8, /*gated=*/true);
  f.Send(1, "a");
  f.gate.AwaitArrivals(1);
  f.Send(2, "b");
  const int reads = f.transport.reads();
  f.session->Drain();
  f.gate.Open();
  CHECK(f.transport.Take(*f.session).has_response());
  CHECK(f.transport.Take(*f.session).has_response());
  CHECK(f.transport.AwaitFinish().code() == StatusCode::kUnavailable);
  CHECK(f.transport.reads() == reads);
}

TEST_CASE("AnIdleStreamEndsAtOnceWhenDrained") {
  Fixture f;
  f.session->Drain();
  CHECK(f.transport.AwaitFinish().code() == StatusCode::kUnavailable);
  f.session->OnReadsDone();
  CHECK_FALSE(f.transport.broken());
}

TEST_CASE("UnderConcurrentRequestsCancelsAndDrainsTheTransportsRulesHold") {
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    Fixture f(4);
    std::thread writer([&] {
      for (int i = 0; i < 20 && f.transport.AwaitReadsOrFinish(i + 1); ++i) f.Send(static_cast<uint64_t>(i), "text");
      f.session->OnReadsDone();
    });
    std::thread reader([&] {
      while (f.transport.TakeOrFinish(*f.session)) {
      }
    });
    std::thread ender([&] {
      if (round % 3 == 1) f.session->OnCancel();
      if (round % 3 == 2) f.session->Drain();
    });
    const absl::Status status = f.transport.AwaitFinish();
    writer.join();
    reader.join();
    ender.join();
    if (round % 3 == 0) REQUIRE(status.ok());
    REQUIRE_FALSE(f.transport.broken());
  }
}

/// A stream of ModelInfer whose forward passes wait for the gate.
struct InferFixture : InferenceFixture {
  explicit InferFixture(size_t max_in_flight = 8) {
    AddModel("m")->on_run = [this](const std::vector<int32_t>&) {
      gate.Pass();
      return absl::OkStatus();
    };
    session = std::make_shared<InferStreamSession>(inference, transport, batcher::TimePoint::max(), max_in_flight);
    session->Start();
  }
  ~InferFixture() {
    gate.Open();
    dispatcher.Stop();
  }
  void Send(const std::string& id, const std::string& text) {
    inference::ModelInferRequest request = oip::TypedTexts({text});
    request.set_id(id);
    session->OnRequest(std::move(request));
  }

  batcher::Gate gate;
  FakeTransportOf<InferStream> transport;
  std::shared_ptr<InferStreamSession> session;
};

TEST_CASE("RepliesOfModelStreamInferComeInTheOrderOfTheRequests") {
  InferFixture f;
  f.Send("1", "a");
  f.gate.AwaitArrivals(1);
  f.Send("2", "!");  // ends at once
  f.session->OnRefused("", absl::InvalidArgumentError("bad bytes"));
  f.Send("4", "b");
  f.session->OnReadsDone();
  f.gate.Open();
  inference::ModelStreamInferResponse reply = f.transport.Take(*f.session);
  CHECK(reply.infer_response().id() == "1");
  CHECK(reply.infer_response().outputs_size() == 2);
  CHECK(reply.error_message().empty());
  reply = f.transport.Take(*f.session);
  CHECK(reply.infer_response().id() == "2");
  CHECK(reply.error_message() == "INVALID_ARGUMENT: text[0]: invalid UTF-8 at byte 0");
  CHECK(f.transport.Take(*f.session).error_message() == "INVALID_ARGUMENT: bad bytes");
  CHECK(f.transport.Take(*f.session).infer_response().id() == "4");
  CHECK(f.transport.AwaitFinish().ok());
  CHECK_FALSE(f.transport.broken());
}

TEST_CASE("RepliesThatWaitForAnEarlierOneCountAsUnanswered") {
  InferFixture f(2);
  f.Send("1", "a");
  f.gate.AwaitArrivals(1);
  CHECK(f.transport.reads() == 2);
  f.Send("2", "!");  // ended, but its reply must wait
  CHECK(f.transport.reads() == 2);
  f.gate.Open();
  f.transport.Take(*f.session);
  f.transport.AwaitReads(3);
}

TEST_CASE("ADrainingModelStreamInferAnswersWhatItHasRead") {
  InferFixture f;
  f.Send("1", "a");
  f.gate.AwaitArrivals(1);
  f.Send("2", "!");
  f.session->Drain();
  f.session->OnReadsDone();
  f.gate.Open();
  CHECK(f.transport.Take(*f.session).infer_response().id() == "1");
  CHECK(f.transport.Take(*f.session).infer_response().id() == "2");
  CHECK(f.transport.AwaitFinish().ok());
  CHECK_FALSE(f.transport.broken());
}

}  // namespace
}  // namespace bertha::server
