#include "server/grpc_service.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/model_status.h"
#include "server/retry.h"
#include "server/stream_session.h"
#include "server/wire_text.h"

namespace bertha::server {
namespace {

using batcher::TimePoint;
using SteadyClock = std::chrono::steady_clock;

/// A drain is over when no call has come for kQuiet; callers who keep coming do not hold it up longer than kMostLinger.
constexpr std::chrono::milliseconds kQuiet{300}, kMostLinger{2000};

/// gRPC's deadline (wall clock) on the monotonic clock; max() if there is none.
TimePoint DeadlineOf(const grpc::CallbackServerContext& context, const batcher::Clock& clock) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return TimePoint::max();
  const auto left = deadline - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return TimePoint::max();
  return clock.Now() + std::chrono::duration_cast<batcher::Duration>(left);
}

template <class Message>
bool Decode(const grpc::ByteBuffer& bytes, Message& message) {
  grpc::ByteBuffer copy(bytes);  // shares the slices; Deserialize consumes its argument
  return grpc::SerializationTraits<Message>::Deserialize(&copy, &message).ok();
}

template <class Message>
void Encode(const Message& message, grpc::ByteBuffer& bytes) {
  bool own_buffer = false;
  grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer);
}

std::string Flatten(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  std::string flat;
  if (!bytes.Dump(&slices).ok()) return flat;
  for (const grpc::Slice& slice : slices) {
    flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return flat;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

/// Deletes itself when gRPC is done with it.
template <class Request, class Response>
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  UnaryReactor(GrpcService& service, grpc::CallbackServerContext& context, grpc::ByteBuffer& reply)
      : service_(service), context_(context), reply_(reply), inference_(service.inference_) {}

  void Start(const grpc::ByteBuffer& bytes) {
    if (!service_.BeginCall()) return Reply(absl::UnavailableError("the server is shutting down; try another one"));
    if (!Decode(bytes, request_)) return Finish(ToGrpc(ExplainUndecodable(*Request::descriptor(), Flatten(bytes))));
    auto call = inference_.Start(request_, response_, DeadlineOf(context_, inference_.clock()),
                                 [this](const absl::Status& status) { Reply(status); });
    bool cancelled;
    {
      MutexLock lock(mutex_);
      call_ = call;
      cancelled = cancelled_;
    }
    if (cancelled) call->Cancel();
  }

  void OnCancel() override {
    std::shared_ptr<Call> call;
    {
      MutexLock lock(mutex_);
      cancelled_ = true;
      call = call_;
    }
    if (call) call->Cancel();
  }

  void OnDone() override {
    service_.EndCall();
    delete this;
  }

 private:
  void Reply(const absl::Status& status) {
    if (status.ok()) Encode(response_, reply_);
    if (const uint32_t ms = RetryAfterMs(status, inference_)) {
      context_.AddTrailingMetadata("grpc-retry-pushback-ms", std::to_string(ms));
    }
    Finish(ToGrpc(status));
  }

  GrpcService& service_;
  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer& reply_;
  Inference& inference_;
  Request request_;
  Response response_;
  Mutex mutex_;
  std::shared_ptr<Call> call_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

/// The gRPC side of a StreamSession. Deletes itself when gRPC is done with it.
class StreamReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>, public StreamTransport {
 public:
  StreamReactor(GrpcService& service, grpc::CallbackServerContext& context)
      : service_(service),
        session_(std::make_shared<StreamSession>(service.inference_, *this,
                                                 DeadlineOf(context, service.inference_.clock()),
                                                 service.max_stream_in_flight_)) {
    service_.AddStream(session_);
    session_->Start();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return session_->OnReadsDone();
    v1::StreamClassifyRequest request;
    if (Decode(incoming_, request)) return session_->OnRequest(std::move(request));
    const std::string bytes = Flatten(incoming_);
    session_->OnUndecodable(IdOfUndecodable(bytes), ExplainUndecodable(*request.GetDescriptor(), bytes));
  }
  void OnWriteDone(bool) override { session_->OnWriteDone(); }
  void OnCancel() override { session_->OnCancel(); }
  void OnDone() override {
    service_.RemoveStream(session_);
    delete this;
  }

 private:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
  void StartRead() override { Reactor::StartRead(&incoming_); }
  void StartWrite(const v1::StreamClassifyResponse& response) override {
    outgoing_.Clear();
    Encode(response, outgoing_);
    Reactor::StartWrite(&outgoing_);
  }
  void Finish(const absl::Status& status) override { Reactor::Finish(ToGrpc(status)); }

  GrpcService& service_;
  grpc::ByteBuffer incoming_, outgoing_;
  const std::shared_ptr<StreamSession> session_;
};

grpc::ServerUnaryReactor* GrpcService::Classify(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                                grpc::ByteBuffer* response) {
  return StartUnary<v1::ClassifyRequest, v1::ClassifyResponse>(*context, *request, *response);
}

grpc::ServerUnaryReactor* GrpcService::TagTokens(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* response) {
  return StartUnary<v1::TagTokensRequest, v1::TagTokensResponse>(*context, *request, *response);
}

grpc::ServerUnaryReactor* GrpcService::Answer(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) {
  return StartUnary<v1::AnswerRequest, v1::AnswerResponse>(*context, *request, *response);
}

grpc::ServerUnaryReactor* GrpcService::Embed(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) {
  return StartUnary<v1::EmbedRequest, v1::EmbedResponse>(*context, *request, *response);
}

template <class Request, class Response>
grpc::ServerUnaryReactor* GrpcService::StartUnary(grpc::CallbackServerContext& context, const grpc::ByteBuffer& request,
                                                  grpc::ByteBuffer& response) {
  auto* reactor = new UnaryReactor<Request, Response>(*this, context, response);
  reactor->Start(request);
  return reactor;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* GrpcService::StreamClassify(
    grpc::CallbackServerContext* context) {
  return new StreamReactor(*this, *context);
}

grpc::ServerUnaryReactor* GrpcService::ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
                                                  v1::ListModelsResponse* response) {
  for (const ModelEntry& entry : models_.List()) *response->add_models() = ToWire(entry);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

void GrpcService::AddStream(std::shared_ptr<StreamSession> session) {
  bool drain;
  {
    MutexLock lock(mutex_);
    drain = draining_;
    last_arrival_ = SteadyClock::now();
    streams_.insert(session);
  }
  if (drain) session->Drain();
}

void GrpcService::RemoveStream(const std::shared_ptr<StreamSession>& session) {
  MutexLock lock(mutex_);
  streams_.erase(session);
  ended_.NotifyAll();
}

bool GrpcService::BeginCall() {
  MutexLock lock(mutex_);
  calls_ += 1;
  last_arrival_ = SteadyClock::now();
  return !draining_;
}

void GrpcService::EndCall() {
  MutexLock lock(mutex_);
  calls_ -= 1;
  ended_.NotifyAll();
}

bool GrpcService::WaitUntilQuiet(SteadyClock::time_point until) {
  MutexLock lock(mutex_);
  while (calls_ > 0 || !streams_.empty()) {
    if (SteadyClock::now() >= until) return false;
    ended_.WaitUntil(mutex_, until);
  }
  const auto latest = std::min(until, SteadyClock::now() + kMostLinger);
  while (SteadyClock::now() < std::min(latest, last_arrival_ + kQuiet)) {
    ended_.WaitUntil(mutex_, std::min(latest, last_arrival_ + kQuiet));
  }
  return true;
}

void GrpcService::BeginDrain() {
  std::set<std::shared_ptr<StreamSession>> streams;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    streams = streams_;
  }
  for (const auto& session : streams) session->Drain();
}

}  // namespace bertha::server
