// A table of methods as a gRPC service, on the callback API: decodes, passes the Gate, starts the method, encodes. No
// policy lives here.
//
// Messages come raw, so that one that protobuf refuses gets INVALID_ARGUMENT that says why instead of gRPC's INTERNAL.
#ifndef BERTHA_SERVER_GRPC_SERVICE_H_
#define BERTHA_SERVER_GRPC_SERVICE_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/rpc_method.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "batcher/clock.h"
#include "server/call_observer.h"
#include "server/caller.h"
#include "server/gate.h"
#include "server/method.h"

namespace bertha::server {

/// What all services of a server use; outlives them.
struct GrpcEdge {
  Gate& gate;
  const batcher::Clock& clock;
  CallObserver& observer;
  /// When to try again after a refusal, in milliseconds; 0 if trying again does not help.
  std::function<uint32_t(const absl::Status&)> retry_after_ms;
};

/// Says in the trailer when to try again, as gRPC's own clients read it; 0: nothing.
void AddPushback(grpc::CallbackServerContext& context, uint32_t ms);

/// The value of the call's authorization header, or empty.
absl::string_view AuthorizationOf(const grpc::CallbackServerContext& context);

/// What gRPC knows of a call; its reply will carry the request id and the trace context.
Caller TakeCaller(grpc::CallbackServerContext& context, const batcher::Clock& clock);

class GrpcService final : public grpc::Service {
 public:
  using StreamReactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;
  /// Makes the reactor of one stream, which deletes itself in OnDone.
  using StartStream = std::function<StreamReactor*(grpc::CallbackServerContext& context)>;

  /// `methods`: of one service. `edge` outlives this.
  GrpcService(std::vector<Method> methods, const GrpcEdge& edge);

  /// Adds a bidirectional stream of the same service; before the server is built.
  void AddStream(const google::protobuf::MethodDescriptor& descriptor, StartStream start);

 private:
  /// Its index.
  int Add(const google::protobuf::MethodDescriptor& descriptor, grpc::internal::RpcMethod::RpcType type);

  const std::vector<Method> methods_;
  std::deque<std::string> paths_;  // gRPC keeps pointers to them
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_SERVICE_H_
