#include "server/admin_server.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/grpc_health.h"
#include "server/grpc_limits.h"
#include "server/grpc_tls.h"
#include "server/http_settings.h"
#include "server/oip/methods.h"
#include "server/retry_after.h"

namespace bertha::server {

AdminServer::AdminServer(Access* access, const ModelTable& models, ModelWatcher& watcher, const batcher::Clock& clock,
                         CallObserver& observer)
    : gate_(access, Listener::kAdmin),
      edge_{gate_, clock, observer, CarriedRetryAfterMs},
      service_(ModelControlMethods(watcher), edge_),
      repository_service_(oip::RepositoryMethods(models, watcher), edge_) {}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const Config& config, Access* access,
                                                                const ModelTable& models, ModelWatcher& watcher,
                                                                const batcher::Clock& clock, CallObserver& observer) {
  std::unique_ptr<AdminServer> admin(new AdminServer(access, models, watcher, clock, observer));
  auto credentials = ServerCredentialsOf(config.admin_tls == "true" ? TlsFilesOf(config) : TlsFiles(), clock);
  if (!credentials.ok()) return credentials.status();
  admin->credentials_ = *std::move(credentials);
  grpc::ServerBuilder builder;
  ApplyLimits(config, builder);
  auto listener =
      GrpcListener::Open(config.admin_address, ConnectionLimitsOf(config), admin->credentials_, clock, builder);
  builder.RegisterService(&admin->service_);
  builder.RegisterService(&admin->repository_service_);
  if (listener.ok()) admin->server_ = builder.BuildAndStart();
  if (!admin->server_) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config.admin_address,
                                               " (admin.address): the port is in use or the address is not of this "
                                               "machine; choose another with --admin-address, or \"\" for none"));
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
