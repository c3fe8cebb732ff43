#include "server/grpc_model_control.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/grpc_service.h"
#include "server/model_status.h"

namespace bertha::server {
namespace {

/// Adds the packages that `name` and `version` mean to a response; empty and 0 mean all.
template <class Response>
void AddPackages(const DirectoryStatus& status, const std::string& name, int64_t version, Response& response) {
  for (const DirectoryStatus::Package& package : status.packages) {
    const ModelKey& key = package.entry.key;
    if (!name.empty() && (key.name != name || (version != 0 && key.version != version))) continue;
    v1::Package& added = *response.add_packages();
    *added.mutable_status() = ToWire(package.entry);
    if (package.waiting && !package.entry.model) added.mutable_status()->clear_state();
    added.set_incomplete(package.waiting);
    added.set_unloaded(package.unloaded);
  }
}

/// FAILED if the request must name a model and does not.
bool RefuseWithoutModel(const std::string& model, grpc::ServerUnaryReactor& reactor) {
  if (!model.empty()) return false;
  reactor.Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "model: is empty; name one"));
  return true;
}

}  // namespace

grpc::ServerUnaryReactor* GrpcModelControl::List(grpc::CallbackServerContext* context, const v1::ListPackagesRequest*,
                                                 v1::ListPackagesResponse* response) {
  const DirectoryStatus status = watcher_.Describe();
  AddPackages(status, "", 0, *response);
  response->mutable_problems()->Assign(status.problems.begin(), status.problems.end());
  response->set_loaded_bytes(status.loaded_bytes);
  response->set_max_bytes(status.max_bytes);
  response->set_loaded_total(status.counts.loaded);
  response->set_refused_total(status.counts.refused);
  response->set_fell_back_total(status.counts.fell_back);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* GrpcModelControl::Status(grpc::CallbackServerContext* context,
                                                   const v1::PackageStatusRequest* request,
                                                   v1::PackageStatusResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (RefuseWithoutModel(request->model(), *reactor)) return reactor;
  AddPackages(watcher_.Describe(), request->model(), request->version(), *response);
  reactor->Finish(response->packages_size() > 0
                      ? grpc::Status::OK
                      : grpc::Status(grpc::StatusCode::NOT_FOUND,
                                     absl::StrCat("no package of \"", request->model(), "\"; List shows all")));
  return reactor;
}

grpc::ServerUnaryReactor* GrpcModelControl::Load(grpc::CallbackServerContext* context, const v1::LoadRequest* request,
                                                 v1::LoadResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  watcher_.Load(request->model(), request->version(), [=, this](const absl::Status& status) {
    AddPackages(watcher_.Describe(), request->model(), request->version(), *response);
    reactor->Finish(ToGrpc(status));
  });
  return reactor;
}

grpc::ServerUnaryReactor* GrpcModelControl::Unload(grpc::CallbackServerContext* context,
                                                   const v1::UnloadRequest* request, v1::UnloadResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (RefuseWithoutModel(request->model(), *reactor)) return reactor;
  watcher_.Unload(request->model(), request->version(), [=, this](const absl::Status& status) {
    AddPackages(watcher_.Describe(), request->model(), request->version(), *response);
    reactor->Finish(ToGrpc(status));
  });
  return reactor;
}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const std::string& address, ModelWatcher& watcher) {
  std::unique_ptr<AdminServer> admin(new AdminServer(watcher));
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&admin->service_);
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
