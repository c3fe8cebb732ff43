#include "server/grpc_stream_classify.h"

#include <memory>
#include <string>
#include <utility>

#include "server/grpc_bytes.h"
#include "server/stream_session.h"
#include "server/wire_text.h"

namespace bertha::server {
namespace {

/// The gRPC side of a StreamSession. Deletes itself when gRPC is done with it.
class StreamReactor final : public GrpcService::StreamReactor, public StreamTransport {
 public:
  StreamReactor(const Inference& inference, const GrpcEdge& edge, const Caller& caller, size_t max_in_flight)
      : gate_(edge.gate), session_(std::make_shared<StreamSession>(inference, *this, caller.deadline, max_in_flight)) {
    gate_.AddStream(session_);
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
    gate_.RemoveStream(session_);
    delete this;
  }

 private:
  using Reactor = GrpcService::StreamReactor;
  void StartRead() override { Reactor::StartRead(&incoming_); }
  void StartWrite(const v1::StreamClassifyResponse& response) override {
    outgoing_.Clear();
    Encode(response, outgoing_);
    Reactor::StartWrite(&outgoing_);
  }
  void Finish(const absl::Status& status) override { Reactor::Finish(ToGrpc(status)); }

  Gate& gate_;
  grpc::ByteBuffer incoming_, outgoing_;
  const std::shared_ptr<StreamSession> session_;
};

}  // namespace

GrpcService::StartStream StreamClassifyOver(const Inference& inference, const GrpcEdge& edge, size_t max_in_flight) {
  return [&inference, &edge, max_in_flight](grpc::CallbackServerContext& context) {
    const Caller caller = TakeCaller(context, edge.clock);
    return new StreamReactor(inference, edge, caller, max_in_flight);
  };
}

}  // namespace bertha::server
