#include "server/admin_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/component_options.h"
#include "server/grpc_health.h"
#include "server/grpc_limits.h"
#include "server/grpc_tls.h"
#include "server/oip/methods.h"
#include "server/retry_after.h"

namespace bertha::server {

AdminServer::AdminServer(const AdminParts& parts)
    : gate_(parts.access, Listener::kAdmin),
      edge_{gate_, parts.clock, parts.observer, CarriedRetryAfterMs},
      service_(ModelControlMethods(parts.watcher), edge_),
      repository_service_(oip::RepositoryMethods(parts.models, parts.watcher), edge_) {}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const Config& config, const AdminParts& parts,
                                                                std::shared_ptr<const TlsWatch> tls) {
  std::unique_ptr<AdminServer> admin(new AdminServer(parts));
  admin->credentials_ = ServerCredentialsOf(std::move(tls));
  grpc::ServerBuilder builder;
  ApplyLimits(config, builder);
  auto listener =
      GrpcListener::Open(config.admin_address, ConnectionLimitsOf(config), admin->credentials_, parts.clock, builder);
  builder.RegisterService(&admin->service_);
  builder.RegisterService(&admin->repository_service_);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat(listener.status().message(), "; choose another address with --admin-address, or \"\" for none"));
  }
  admin->server_ = builder.BuildAndStart();
  if (!admin->server_) {
    return absl::InternalError(absl::StrCat("gRPC refuses to serve on ", config.admin_address, " (admin.address)"));
  }
  admin->listener_ = *std::move(listener);
  admin->listener_->Start();
  return admin;
}

AdminServer::~AdminServer() {
  listener_.reset();
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now() + kClosePatience);
  server_->Wait();
}

}  // namespace bertha::server
