// The gRPC listener: services, limits, reflection, and an orderly end.
#ifndef BERTHA_SERVER_GRPC_SERVER_H_
#define BERTHA_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/grpc_health.h"
#include "server/grpc_service.h"
#include "server/inference.h"
#include "server/model_table.h"
#include "server/oip/methods.h"

namespace bertha::server {

class GrpcServer {
 public:
  /// Listens from now on. UNAVAILABLE if the address cannot be had, e.g. because the port is in use.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Config& config, Gate& gate, CallObserver& observer,
                                                           const Inference& inference, const ModelTable& models);
  /// Ends at once what has not ended, with CANCELLED.
  ~GrpcServer();

  int port() const { return port_; }

  /// Health says of each model of the table whether a version of it serves, and of the server, once it is `ready`,
  /// whether any model does. None does while the workers are not `healthy`.
  void UpdateHealth(const ModelTable& models, bool ready, bool healthy);

  /// Health says NOT_SERVING; no new call is accepted; accepted calls are finished, for `timeout` at most. True if all
  /// were finished in time. Later calls are refused for as long as this object lives.
  bool Drain(batcher::Duration timeout);

 private:
  GrpcServer(const Config& config, Gate& gate, CallObserver& observer, const Inference& inference,
             const ModelTable& models);

  Gate& gate_;
  const GrpcEdge edge_;
  GrpcHealth health_;
  std::atomic<bool> serving_ = false;
  const oip::ServerFacts facts_;
  GrpcService service_;
  GrpcService inference_service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_SERVER_H_
