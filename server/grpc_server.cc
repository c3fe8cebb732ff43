#include "server/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/component_options.h"
#include "server/grpc_limits.h"
#include "server/grpc_streams.h"
#include "server/grpc_tls.h"
#include "server/retry.h"

namespace bertha::server {

GrpcServer::GrpcServer(const Config& config, const PublicParts& parts)
    : gate_(parts.gate),
      edge_{parts.gate, parts.inference.clock(), parts.observer,
            [&inference = parts.inference](const absl::Status& status) { return RetryAfterMs(status, inference); }},
      health_(parts.health.Snapshot()),
      serving_(parts.health.Snapshot().ready.ok),
      facts_{.ready = [this] { return serving_.load(); }, .admin_address = config.admin_address},
      service_(BerthaMethods(parts.inference, parts.models), edge_),
      inference_service_(oip::PublicMethods(parts.inference, facts_), edge_) {
  const auto max_in_flight = static_cast<size_t>(config.limits_max_stream_in_flight);
  service_.AddStream(StreamClassifyMethod(), StreamClassifyOver(parts.inference, edge_, max_in_flight));
  inference_service_.AddStream(*oip::Service().FindMethodByName("ModelStreamInfer"),
                               ModelStreamInferOver(parts.inference, edge_, max_in_flight));
}

absl::Status GrpcServer::Listen(const Config& config, std::shared_ptr<const TlsWatch> tls) {
  credentials_ = ServerCredentialsOf(std::move(tls));
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  ApplyLimits(config, builder);
  auto listener =
      GrpcListener::Open(config.grpc_address, ConnectionLimitsOf(config), credentials_, edge_.clock, builder);
  builder.RegisterService(&service_);
  builder.RegisterService(&inference_service_);
  builder.RegisterService(&health_);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat(listener.status().message(), "; choose another address with --grpc-address"));
  }
  server_ = builder.BuildAndStart();
  if (!server_) return absl::InternalError(absl::StrCat("gRPC refuses to serve on ", config.grpc_address));
  listener_ = *std::move(listener);
  listener_->Start();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Config& config, const PublicParts& parts,
                                                              std::shared_ptr<const TlsWatch> tls) {
  std::unique_ptr<GrpcServer> server(new GrpcServer(config, parts));
  if (absl::Status status = server->Listen(config, std::move(tls)); !status.ok()) return status;
  return server;
}

GrpcServer::~GrpcServer() {
  listener_.reset();
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
