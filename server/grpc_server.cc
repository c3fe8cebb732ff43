#include "server/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/grpc_limits.h"
#include "server/grpc_stream_classify.h"
#include "server/grpc_tls.h"
#include "server/http_settings.h"
#include "server/retry.h"

namespace bertha::server {
namespace {

/// For sending the last status to those who watch.
constexpr std::chrono::milliseconds kWatchersPatience{500};

}  // namespace

GrpcServer::GrpcServer(const Config& config, Gate& gate, CallObserver& observer, const Inference& inference,
                       const ModelTable& models)
    : gate_(gate),
      edge_{gate, inference.clock(), observer,
            [&](const absl::Status& status) { return RetryAfterMs(status, inference); }},
      service_(BerthaMethods(inference, models), edge_) {
  service_.AddStream(
      *v1::ClassifyRequest::descriptor()->file()->FindServiceByName("Bertha")->FindMethodByName("StreamClassify"),
      StreamClassifyOver(inference, edge_, static_cast<size_t>(config.limits_max_stream_in_flight)));
  // Nobody who can connect is told that a package which is still being loaded is an unknown service.
  UpdateHealth(models, false, true);
}

absl::Status GrpcServer::Listen(const Config& config) {
  auto credentials = ServerCredentialsOf(TlsFilesOf(config), edge_.clock);
  if (!credentials.ok()) return credentials.status();
  credentials_ = *std::move(credentials);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  ApplyLimits(config, builder);
  auto listener =
      GrpcListener::Open(config.grpc_address, ConnectionLimitsOf(config), credentials_, edge_.clock, builder);
  builder.RegisterService(&service_);
  builder.RegisterService(&health_);
  if (listener.ok()) server_ = builder.BuildAndStart();
  if (!server_) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config.grpc_address,
                                               ": the port is in use or the address is not of this machine; choose "
                                               "another with --grpc-address"));
  }
  listener_ = *std::move(listener);
  listener_->Start();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Config& config, Gate& gate, CallObserver& observer,
                                                              const Inference& inference, const ModelTable& models) {
  std::unique_ptr<GrpcServer> server(new GrpcServer(config, gate, observer, inference, models));
  if (absl::Status status = server->Listen(config); !status.ok()) return status;
  return server;
}

void GrpcServer::UpdateHealth(const ModelTable& models, bool ready, bool healthy) {
  std::map<std::string, bool> names;
  bool any = false;
  for (const ModelEntry& entry : models.List()) {
    const bool serves = healthy && entry.state == ModelState::kServing;
    names[entry.key.name] |= serves;
    any |= serves;
  }
  health_.Set(names, ready && any);
}

GrpcServer::~GrpcServer() {
  listener_.reset();
  if (!server_) return;
  health_.EndWatches({});
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

bool GrpcServer::Drain(batcher::Duration timeout) {
  health_.Drain();
  gate_.BeginDrain();
  const bool finished = gate_.WaitUntilQuiet(std::chrono::steady_clock::now() + timeout);
  health_.EndWatches(kWatchersPatience);
  return finished;
}

}  // namespace bertha::server
