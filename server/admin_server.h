// The listener for operators, on an address of its own: bertha.v1.ModelControl, and the part of the Open Inference
// Protocol that loads and unloads models.
#ifndef BERTHA_SERVER_ADMIN_SERVER_H_
#define BERTHA_SERVER_ADMIN_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/access.h"
#include "server/config.h"
#include "server/gate.h"
#include "server/grpc_listener.h"
#include "server/grpc_service.h"
#include "server/model_watcher.h"

namespace bertha::server {

/// Listens until it is destroyed.
class AdminServer {
 public:
  /// UNAVAILABLE if the address cannot be had, e.g. because the port is in use; INVALID_ARGUMENT names a TLS file that
  /// cannot be used. `access` may be null, see Gate. All but `config` outlive the server.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const Config& config, Access* access,
                                                            const ModelTable& models, ModelWatcher& watcher,
                                                            const batcher::Clock& clock, CallObserver& observer);
  ~AdminServer();

 private:
  AdminServer(Access* access, const ModelTable& models, ModelWatcher& watcher, const batcher::Clock& clock,
              CallObserver& observer);

  Gate gate_;  // of its own: operators may look on while the server drains
  const GrpcEdge edge_;
  GrpcService service_;
  GrpcService repository_service_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<GrpcListener> listener_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_ADMIN_SERVER_H_
