#include "server/admin_server.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/bertha_methods.h"
#include "server/oip/methods.h"

namespace bertha::server {

AdminServer::AdminServer(const ModelTable& models, ModelWatcher& watcher, const batcher::Clock& clock,
                         CallObserver& observer)
    : edge_{gate_, clock, observer, [](const absl::Status&) { return 0; }},
      service_(ModelControlMethods(watcher), edge_),
      repository_service_(oip::RepositoryMethods(models, watcher), edge_) {}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const std::string& address, const ModelTable& models,
                                                                ModelWatcher& watcher, const batcher::Clock& clock,
                                                                CallObserver& observer) {
  std::unique_ptr<AdminServer> admin(new AdminServer(models, watcher, clock, observer));
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&admin->service_);
  builder.RegisterService(&admin->repository_service_);
  admin->server_ = builder.BuildAndStart();
  if (!admin->server_ || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address,
                                               " (admin.address): the port is in use or the address is not of this "
                                               "machine; choose another with --admin-address, or \"\" for none"));
  }
  return admin;
}

AdminServer::~AdminServer() {
  if (!server_) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

}  // namespace bertha::server
