// The listener for operators, on an address of its own: bertha.v1.ModelControl, and the part of the Open Inference
// Protocol that loads and unloads models.
#ifndef BERTHA_SERVER_ADMIN_SERVER_H_
#define BERTHA_SERVER_ADMIN_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/gate.h"
#include "server/grpc_listener.h"
#include "server/grpc_service.h"
#include "server/listener_parts.h"
#include "server/tls_watch.h"

namespace bertha::server {

/// Listens until it is destroyed.
class AdminServer {
 public:
  /// UNAVAILABLE if the address cannot be had, e.g. because the port is in use. What `parts` refers to
  /// outlives the server. `tls` null: plaintext.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const Config& config, const AdminParts& parts,
                                                            std::shared_ptr<const TlsWatch> tls);
  ~AdminServer();

 private:
  explicit AdminServer(const AdminParts& parts);

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
