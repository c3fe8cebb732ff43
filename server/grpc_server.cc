#include "server/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/grpc_streams.h"
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
      facts_{.ready = [this] { return serving_.load(); }, .admin_address = config.admin_address},
      service_(BerthaMethods(inference, models), edge_),
      inference_service_(oip::PublicMethods(inference, facts_), edge_) {
  const auto max_in_flight = static_cast<size_t>(config.limits_max_stream_in_flight);
  service_.AddStream(
      *v1::ClassifyRequest::descriptor()->file()->FindServiceByName("Bertha")->FindMethodByName("StreamClassify"),
      StreamClassifyOver(inference, edge_, max_in_flight));
  inference_service_.AddStream(*oip::Service().FindMethodByName("ModelStreamInfer"),
                               ModelStreamInferOver(inference, edge_, max_in_flight));
  // Nobody who can connect is told that a package which is still being loaded is an unknown service.
  UpdateHealth(models, false, true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // Without this two daemons share a port silently, and each gets half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(static_cast<int>(config.limits_max_message_bytes));
  builder.AddListeningPort(config.grpc_address, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&service_);
  builder.RegisterService(&inference_service_);
  builder.RegisterService(&health_);
  server_ = builder.BuildAndStart();
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Config& config, Gate& gate, CallObserver& observer,
                                                              const Inference& inference, const ModelTable& models) {
  std::unique_ptr<GrpcServer> server(new GrpcServer(config, gate, observer, inference, models));
  if (!server->server_ || server->port_ == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config.grpc_address,
                                               ": the port is in use or the address is not of this machine; choose "
                                               "another with --grpc-address"));
  }
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
  serving_ = ready && any;
  health_.Set(names, serving_);
}

GrpcServer::~GrpcServer() {
  if (!server_) return;
  health_.EndWatches({});
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

bool GrpcServer::Drain(batcher::Duration timeout) {
  serving_ = false;
  health_.Drain();
  gate_.BeginDrain();
  const bool finished = gate_.WaitUntilQuiet(std::chrono::steady_clock::now() + timeout);
  health_.EndWatches(kWatchersPatience);
  return finished;
}

}  // namespace bertha::server
