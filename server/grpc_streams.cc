#include "server/grpc_streams.h"

#include <memory>
#include <string>
#include <utility>

#include "server/grpc_bytes.h"
#include "server/grpc_status.h"
#include "server/stream_session.h"
#include "server/wire_text.h"

namespace bertha::server {
namespace {

/// The `id` of a request that cannot be decoded.
uint64_t IdOf(const v1::StreamClassifyRequest&, const std::string& bytes) { return IdOfUndecodable(bytes); }
/// Not looked for: the reply's place in the order says which request it answers.
std::string IdOf(const inference::ModelInferRequest&, const std::string&) { return ""; }

/// The gRPC side of a StreamSession. Deletes itself when gRPC is done with it.
template <class Protocol>
class StreamReactor final : public GrpcService::StreamReactor, public StreamTransportOf<Protocol> {
 public:
  using Session = StreamSessionOf<Protocol>;

  StreamReactor(const Inference& inference, const GrpcEdge& edge, CallCounters& counters, Caller caller,
                size_t max_in_flight)
      : edge_(edge),
        counters_(counters),
        began_(edge.clock.Now()),
        caller_(std::move(caller)),
        session_(std::make_shared<Session>(inference, *this, caller_.deadline, max_in_flight)) {
    edge_.gate.AddStream(session_);
    session_->Start();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return session_->OnReadsDone();
    typename Protocol::Request request;
    const bool decoded = Decode(incoming_, request);
    const std::string bytes = decoded ? std::string() : Flatten(incoming_);
    if (absl::Status status = edge_.gate.CountMessage(caller_); !status.ok()) {
      return session_->OnRefused(decoded ? request.id() : IdOf(request, bytes), status);
    }
    if (decoded) return session_->OnRequest(std::move(request));
    session_->OnRefused(IdOf(request, bytes), ExplainUndecodable(*request.GetDescriptor(), bytes));
  }
  void OnWriteDone(bool) override { session_->OnWriteDone(); }
  void OnCancel() override { session_->OnCancel(); }
  void OnDone() override {
    edge_.gate.RemoveStream(session_);
    delete this;
  }

 private:
  using Reactor = GrpcService::StreamReactor;
  void StartRead() override { Reactor::StartRead(&incoming_); }
  void StartWrite(const typename Protocol::Reply& reply) override {
    outgoing_.Clear();
    Encode(reply, outgoing_);
    Reactor::StartWrite(&outgoing_);
  }
  void OnEnd(const absl::Status& status) override {
    edge_.observer.OnEnd(counters_, caller_, status, edge_.clock.Now() - began_);
  }
  void Finish(const absl::Status& status) override { Reactor::Finish(ToGrpc(status)); }

  const GrpcEdge& edge_;
  CallCounters& counters_;
  const batcher::TimePoint began_;
  const Caller caller_;
  grpc::ByteBuffer incoming_, outgoing_;
  const std::shared_ptr<Session> session_;
};

/// A stream that ends as it begins.
class RefusedReactor final : public GrpcService::StreamReactor {
 public:
  explicit RefusedReactor(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

template <class Protocol>
GrpcService::StartStream Over(const char* method, const Inference& inference, const GrpcEdge& edge,
                              size_t max_in_flight) {
  CallCounters& counters = edge.observer.Register("grpc", method);
  return [&inference, &edge, &counters,
          max_in_flight](grpc::CallbackServerContext& context) -> GrpcService::StreamReactor* {
    Caller caller = TakeCaller(context, edge.clock);
    absl::Status status;
    const Gate::Ticket ticket = edge.gate.Enter(Scope::kInfer, AuthorizationOf(context), caller, status);
    if (status.ok()) return new StreamReactor<Protocol>(inference, edge, counters, std::move(caller), max_in_flight);
    edge.observer.OnEnd(counters, caller, status, {});
    AddPushback(context, edge.retry_after_ms(status));
    return new RefusedReactor(status);
  };
}

}  // namespace

GrpcService::StartStream StreamClassifyOver(const Inference& inference, const GrpcEdge& edge, size_t max_in_flight) {
  return Over<ClassifyStream>("StreamClassify", inference, edge, max_in_flight);
}

GrpcService::StartStream ModelStreamInferOver(const Inference& inference, const GrpcEdge& edge, size_t max_in_flight) {
  return Over<InferStream>("ModelStreamInfer", inference, edge, max_in_flight);
}

}  // namespace bertha::server
