#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/mutex.h"
#include "bench/load/freezing_server.h"
#include "bench/load/grpc_transport.h"
#include "bench/load/self_test.h"
#include "bench/load/wait_group.h"
#include "bertha/v1/bertha.grpc.pb.h"
#include "inference/grpc_service.pb.h"
#include "tests/catch.h"

namespace bertha::load {
namespace {

using absl::StatusCode;

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

/// What came back, by the calls' numbers.
class Replies final : public Receiver {
 public:
  explicit Replies(size_t expected) : group_(expected) {}
  void OnReply(uint32_t number, StatusCode code, const std::optional<ServerSplit>& server) override {
    {
      MutexLock lock(mutex_);
      codes_.emplace(number, code);
      if (server) splits_[number] = *server;
    }
    group_.Done();
  }
  std::multimap<uint32_t, StatusCode> Wait() {
    group_.Wait(batcher::TimePoint::max());
    MutexLock lock(mutex_);
    return codes_;
  }
  std::map<uint32_t, ServerSplit> splits() {
    MutexLock lock(mutex_);
    return splits_;
  }

 private:
  WaitGroup group_;
  Mutex mutex_;
  std::multimap<uint32_t, StatusCode> codes_ ABSL_GUARDED_BY(mutex_);
  std::map<uint32_t, ServerSplit> splits_ ABSL_GUARDED_BY(mutex_);
};

const std::vector<Plan::Model> kModels = {{}, {.name = "mood", .version = "3"}, {.name = "mood", .version = "stable"}};
const std::vector<std::string> kTexts = {"I love it", "grüß dich"};

Protocol Bertha(bool stream) {
  absl::StatusOr<Protocol> protocol = BerthaProtocol(stream, kModels, kTexts);
  REQUIRE(protocol.ok());
  return *std::move(protocol);
}

template <class Message>
Message Parsed(const grpc::ByteBuffer& bytes) {
  grpc::Slice flat;
  REQUIRE(bytes.DumpToSingleSlice(&flat).ok());
  Message message;
  REQUIRE(message.ParseFromArray(flat.begin(), static_cast<int>(flat.size())));
  return message;
}

TEST_CASE("the parts of a request are one message") {
  using std::chrono::milliseconds;
  SECTION("Classify") {
    const auto request = Parsed<v1::ClassifyRequest>(Bertha(false).Request({.number = 7, .text = 1, .model = 1}));
    CHECK(request.model() == "mood");
    CHECK(request.version() == 3);
    REQUIRE(request.inputs_size() == 1);
    CHECK(request.inputs(0).text() == kTexts[1]);
    CHECK(Parsed<v1::ClassifyRequest>(Bertha(false).Request({.model = 2})).version_label() == "stable");
  }
  SECTION("StreamClassify") {
    const Call call = {.number = 7, .text = 1, .model = 1, .left = milliseconds(20)};
    const auto request = Parsed<v1::StreamClassifyRequest>(Bertha(true).Request(call));
    CHECK(request.id() == 7);
    CHECK(request.timeout_ms() == 20);
    CHECK(request.request().model() == "mood");
    REQUIRE(request.request().inputs_size() == 1);
    CHECK(request.request().inputs(0).text() == kTexts[1]);
  }
  SECTION("ModelInfer and ModelStreamInfer") {
    const std::vector<TextTensor> tensors = {{}, {.name = "words", .shape = {1, 1}}, {}};
    const Call call = {.number = 7, .text = 1, .model = 1, .left = -milliseconds(5)};
    for (const bool stream : {false, true}) {
      const Protocol protocol = OipProtocol(stream, kModels, tensors, kTexts);
      const auto request = Parsed<inference::ModelInferRequest>(protocol.Request(call));
      CHECK(request.model_name() == "mood");
      CHECK(request.model_version() == "3");
      CHECK(request.id() == (stream ? "7" : ""));
      CHECK(request.parameters().count("timeout") == (stream ? 1 : 0));
      if (stream) CHECK(request.parameters().at("timeout").int64_param() == 1);  // 0 would be none
      REQUIRE(request.inputs_size() == 1);
      CHECK(request.inputs(0).name() == "words");
      CHECK(request.inputs(0).shape_size() == 2);
      REQUIRE(request.raw_input_contents_size() == 1);
      const std::string length = {static_cast<char>(kTexts[1].size()), 0, 0, 0};
      CHECK(request.raw_input_contents(0) == length + kTexts[1]);
    }
  }
}

TEST_CASE("a version that no server can have is refused") {
  CHECK_FALSE(BerthaProtocol(false, {{.name = "mood", .version = "0"}}, kTexts).ok());
  CHECK_FALSE(BerthaProtocol(false, {{.name = "mood", .version = "99999999999999999999"}}, kTexts).ok());
}

TEST_CASE("an error on a stream of the Open Inference Protocol has the code that its message begins with") {
  const Protocol protocol = OipProtocol(true, kModels, {{}, {}, {}}, kTexts);
  const auto decode = [&](const std::string& error) {
    inference::ModelStreamInferResponse response;
    response.set_error_message(error);
    response.mutable_infer_response()->set_id("12");
    const grpc::Slice slice(response.SerializeAsString());
    grpc::ByteBuffer bytes(&slice, 1);
    Reply reply;
    REQUIRE(protocol.decode(bytes, reply));
    CHECK(reply.number == 12);
    return reply.code;
  };
  CHECK(decode("") == StatusCode::kOk);
  CHECK(decode("RESOURCE_EXHAUSTED: the queue is full") == StatusCode::kResourceExhausted);
  CHECK(decode("unexpected shape") == StatusCode::kUnknown);
}

TEST_CASE("unary calls are answered over every channel") {
  FreezingServer server;
  GrpcTransport transport(Bertha(false), {server.Connect(), server.Connect()}, "");
  Replies replies(10);
  for (uint32_t i = 0; i < 10; ++i) transport.Send(i % 2, {.number = i, .text = i % 2}, replies);
  const auto codes = replies.Wait();
  CHECK(codes.size() == 10);
  for (uint32_t i = 0; i < 10; ++i) CHECK(codes.count(i) == 1);
  for (const auto& [number, code] : codes) CHECK(code == StatusCode::kOk);
  CHECK(replies.splits().size() == 10);
  CHECK(transport.complaints().empty());
}

TEST_CASE("a unary call ends with its deadline, or when all are cancelled") {
  FreezingServer server;
  server.Freeze();
  GrpcTransport transport(Bertha(false), {server.Connect()}, "");
  Replies late(1), cancelled(2);
  transport.Send(0, {.number = 1, .left = std::chrono::milliseconds(20)}, late);
  CHECK(late.Wait().find(1)->second == StatusCode::kDeadlineExceeded);
  for (uint32_t i = 0; i < 2; ++i) transport.Send(0, {.number = i}, cancelled);
  transport.CancelAll();
  for (const auto& [number, code] : cancelled.Wait()) CHECK(code == StatusCode::kCancelled);
}

TEST_CASE("where nobody listens, calls are UNAVAILABLE, on streams too; what is not served is UNIMPLEMENTED") {
  const bool stream = GENERATE(false, true);
  Replies nobody(3), other(1);
  GrpcTransport to_nobody(Bertha(stream), {Connect("127.0.0.1:1")}, "");
  for (uint32_t i = 0; i < 3; ++i) to_nobody.Send(0, {.number = i}, nobody);
  for (const auto& [number, code] : nobody.Wait()) CHECK(code == StatusCode::kUnavailable);
  CHECK(to_nobody.complaints().count(StatusCode::kUnavailable) == 1);
  FreezingServer server;
  GrpcTransport to_other(OipProtocol(stream, kModels, {{}, {}, {}}, kTexts), {server.Connect()}, "");
  to_other.Send(0, {}, other);
  CHECK(other.Wait().begin()->second == StatusCode::kUnimplemented);
}

/// Answers every second request and then the one before it; "end" ends the stream, "error" gets an error at once.
class StreamServer final : public v1::Bertha::Service {
 public:
  StreamServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~StreamServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  grpc::Status StreamClassify(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::StreamClassifyResponse, v1::StreamClassifyRequest>* stream) override {
    v1::StreamClassifyRequest request;
    std::vector<uint64_t> kept;  // one at most
    while (stream->Read(&request)) {
      const std::string& text = request.request().inputs(0).text();
      if (text == "end") return grpc::Status(grpc::StatusCode::ABORTED, "as you wish");
      v1::StreamClassifyResponse reply;
      reply.set_id(request.id());
      if (text == "error") {
        reply.mutable_error()->set_code(grpc::StatusCode::INVALID_ARGUMENT);
        reply.mutable_error()->set_message("no such text");
        stream->Write(reply);
        continue;
      }
      if (kept.empty()) {
        kept.push_back(request.id());
        continue;
      }
      auto& result = *reply.mutable_response()->add_results();
      result.set_tokens(static_cast<uint32_t>(request.id()));
      result.mutable_batch()->set_size(2);
      stream->Write(reply);
      result.set_tokens(static_cast<uint32_t>(kept[0]));
      reply.set_id(kept[0]);
      stream->Write(reply);
      kept.clear();
    }
    return grpc::Status::OK;
  }

  const std::string& address() const { return address_; }

 private:
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

const std::vector<std::string> kStreamTexts = {"text", "error", "end"};

TEST_CASE("replies of a stream belong to the calls whose ids they carry, whatever their order") {
  StreamServer server;
  absl::StatusOr<Protocol> protocol = BerthaProtocol(true, kModels, kStreamTexts);
  GrpcTransport transport(*std::move(protocol), {Connect(server.address())}, "");
  Replies replies(101);
  for (uint32_t i = 0; i < 100; ++i) transport.Send(0, {.number = i, .text = 0}, replies);
  transport.Send(0, {.number = 100, .text = 1}, replies);
  const auto codes = replies.Wait();
  CHECK(codes.size() == 101);
  for (uint32_t i = 0; i < 100; ++i) {
    REQUIRE(codes.count(i) == 1);
    CHECK(codes.find(i)->second == StatusCode::kOk);
    CHECK(replies.splits().at(i).tokens == i);
    CHECK(replies.splits().at(i).batch_size == 2);
  }
  CHECK(codes.find(100)->second == StatusCode::kInvalidArgument);
  CHECK(transport.complaints().at(StatusCode::kInvalidArgument) == "no such text");
}

TEST_CASE("when a stream ends, its calls end as it did, and the next call begins another one") {
  StreamServer server;
  absl::StatusOr<Protocol> protocol = BerthaProtocol(true, kModels, kStreamTexts);
  GrpcTransport transport(*std::move(protocol), {Connect(server.address())}, "");
  Replies ended(2), next(2);
  transport.Send(0, {.number = 1, .text = 0}, ended);
  transport.Send(0, {.number = 2, .text = 2}, ended);
  for (const auto& [number, code] : ended.Wait()) CHECK(code == StatusCode::kAborted);
  transport.Send(0, {.number = 1, .text = 0}, next);
  transport.Send(0, {.number = 2, .text = 0}, next);
  for (const auto& [number, code] : next.Wait()) CHECK(code == StatusCode::kOk);
}

TEST_CASE("cancelling ends what waits on a stream, and the next call begins another one") {
  StreamServer server;
  absl::StatusOr<Protocol> protocol = BerthaProtocol(true, kModels, kStreamTexts);
  GrpcTransport transport(*std::move(protocol), {Connect(server.address())}, "");
  Replies cancelled(1), next(2);
  transport.Send(0, {.number = 1, .text = 0}, cancelled);
  transport.CancelAll();
  CHECK(cancelled.Wait().find(1)->second == StatusCode::kCancelled);
  for (uint32_t i = 0; i < 2; ++i) transport.Send(0, {.number = i, .text = 0}, next);
  for (const auto& [number, code] : next.Wait()) CHECK(code == StatusCode::kOk);
}

class CountingWatch final : public Watch {};

TEST_CASE("an open loop sees a server that stands still for a second, and a closed loop does not", "[slow]") {
  CountingWatch watch;
  const absl::StatusOr<SelfTest> test = RunSelfTest(watch);
  REQUIRE(test.ok());
  CHECK(test->failures == std::vector<std::string>());
  CHECK(test->open.all.p99.value() > 500);
  CHECK(test->open.all.max.value() < 3000);
  CHECK(test->closed.all.p99.value() < 500);
  CHECK(test->closed.all.max.value() > 900);
}

}  // namespace
}  // namespace bertha::load
