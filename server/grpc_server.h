// The gRPC listener: services, limits, reflection, and an orderly end.
#ifndef BERTHA_SERVER_GRPC_SERVER_H_
#define BERTHA_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/grpc_health.h"
#include "server/grpc_listener.h"
#include "server/grpc_service.h"
#include "server/inference.h"
#include "server/model_table.h"

namespace bertha::server {

class GrpcServer {
 public:
  /// Listens from now on. UNAVAILABLE if the address cannot be had, e.g. because the port is in use;
  /// INVALID_ARGUMENT names a TLS file that cannot be used.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Config& config, Gate& gate, CallObserver& observer,
                                                           const Inference& inference, const ModelTable& models);
  /// Ends at once what has not ended, with CANCELLED.
  ~GrpcServer();

  int port() const { return listener_->port(); }

  /// Health says of each model of the table whether a version of it serves, and of the server, once it is `ready`,
  /// whether any model does. None does while the workers are not `healthy`.
  void UpdateHealth(const ModelTable& models, bool ready, bool healthy);

  /// Health says NOT_SERVING; no new call is accepted; accepted calls are finished, for `timeout` at most. True if all
  /// were finished in time. Later calls are refused for as long as this object lives.
  bool Drain(batcher::Duration timeout);

 private:
  GrpcServer(const Config& config, Gate& gate, CallObserver& observer, const Inference& inference,
             const ModelTable& models);

  absl::Status Listen(const Config& config);

  Gate& gate_;
  const GrpcEdge edge_;
  GrpcHealth health_;
  GrpcService service_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<GrpcListener> listener_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_SERVER_H_
