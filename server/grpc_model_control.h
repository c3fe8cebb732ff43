// bertha.v1.ModelControl on gRPC, and the listener of its own that it has: decodes, hands over to the ModelWatcher,
// encodes.
#ifndef BERTHA_SERVER_GRPC_MODEL_CONTROL_H_
#define BERTHA_SERVER_GRPC_MODEL_CONTROL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bertha/v1/model_control.grpc.pb.h"
#include "server/model_watcher.h"

namespace bertha::server {

class GrpcModelControl final : public v1::ModelControl::CallbackService {
 public:
  /// `watcher` outlives the service.
  explicit GrpcModelControl(ModelWatcher& watcher) : watcher_(watcher) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context, const v1::ListPackagesRequest* request,
                                 v1::ListPackagesResponse* response) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context, const v1::PackageStatusRequest* request,
                                   v1::PackageStatusResponse* response) override;
  grpc::ServerUnaryReactor* Load(grpc::CallbackServerContext* context, const v1::LoadRequest* request,
                                 v1::LoadResponse* response) override;
  grpc::ServerUnaryReactor* Unload(grpc::CallbackServerContext* context, const v1::UnloadRequest* request,
                                   v1::UnloadResponse* response) override;

 private:
  ModelWatcher& watcher_;
};

/// Listens until it is destroyed.
class AdminServer {
 public:
  /// UNAVAILABLE if `address` cannot be had, e.g. because the port is in use. `watcher` outlives the server.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const std::string& address, ModelWatcher& watcher);
  ~AdminServer();

 private:
  explicit AdminServer(ModelWatcher& watcher) : service_(watcher) {}

  GrpcModelControl service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_MODEL_CONTROL_H_
