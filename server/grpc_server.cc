#include "server/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/grpc_stream_classify.h"
#include "server/retry.h"

namespace bertha::server {
GrpcServer::GrpcServer(const Config& config, Gate& gate, CallObserver& observer, const Inference& inference,
                       const ModelTable& models, const HealthSnapshot& health)
    : gate_(gate),
      edge_{gate, inference.clock(), observer,
            [&](const absl::Status& status) { return RetryAfterMs(status, inference); }},
      health_(health),
      service_(BerthaMethods(inference, models), edge_) {
  service_.AddStream(
      *v1::ClassifyRequest::descriptor()->file()->FindServiceByName("Bertha")->FindMethodByName("StreamClassify"),
      StreamClassifyOver(inference, edge_, static_cast<size_t>(config.limits_max_stream_in_flight)));
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // Without this two daemons share a port silently, and each gets half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(static_cast<int>(config.limits_max_message_bytes));
  builder.AddListeningPort(config.grpc_address, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&service_);
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Config& config, Gate& gate, CallObserver& observer,
                                                              const Inference& inference, const ModelTable& models,
                                                              const HealthSnapshot& health) {
  std::unique_ptr<GrpcServer> server(new GrpcServer(config, gate, observer, inference, models, health));
  if (!server->server_ || server->port_ == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config.grpc_address,
                                               ": the port is in use or the address is not of this machine; choose "
                                               "another with --grpc-address"));
  }
  return server;
}

GrpcServer::~GrpcServer() {
  if (!server_) return;
  health_.EndWatches({});
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

bool GrpcServer::Drain(batcher::Duration timeout) {
  gate_.BeginDrain();
  const bool finished = gate_.WaitUntilQuiet(std::chrono::steady_clock::now() + timeout);
  health_.EndWatches(kClosePatience);
  return finished;
}

void GrpcServer::Close() { server_->Shutdown(std::chrono::system_clock::now() + kClosePatience); }

}  // namespace bertha::server
