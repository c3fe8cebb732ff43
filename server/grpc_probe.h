// A listener for grpc.health.v1 and nothing else, in plain text: for whoever watches the process and speaks no TLS,
// such as kubelet's gRPC probes. What it tells is no secret, and nothing can be done through it.
#ifndef BERTHA_SERVER_GRPC_PROBE_H_
#define BERTHA_SERVER_GRPC_PROBE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/grpc_health.h"

namespace bertha::server {

/// Listens until it is destroyed. Thread-safety: SetHealth may be called from any thread.
class ProbeServer {
 public:
  /// UNAVAILABLE if `address` cannot be had, e.g. because the port is in use.
  static absl::StatusOr<std::unique_ptr<ProbeServer>> Start(const std::string& address, const HealthSnapshot& snapshot);
  ~ProbeServer();

  void SetHealth(const HealthSnapshot& snapshot) { health_.Set(snapshot); }
  /// Listens no more, and tells every connection so (GOAWAY).
  void Close();

 private:
  explicit ProbeServer(const HealthSnapshot& snapshot) : health_(snapshot) {}

  GrpcHealth health_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_PROBE_H_
