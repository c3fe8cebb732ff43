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
#include "server/grpc_listener.h"
#include "server/grpc_service.h"
#include "server/listener_parts.h"
#include "server/oip/methods.h"
#include "server/tls_watch.h"

namespace bertha::server {

class GrpcServer {
 public:
  /// Listens from now on. UNAVAILABLE if the address cannot be had, e.g. because the port is in use.
  /// What `parts` refers to outlives the server. `tls` null: plaintext.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Config& config, const PublicParts& parts,
                                                           std::shared_ptr<const TlsWatch> tls);
  /// Ends at once what has not ended, with CANCELLED.
  ~GrpcServer();

  /// What health says from now on. From any thread.
  void SetHealth(const HealthSnapshot& health) {
    serving_ = health.ready.ok;
    health_.Set(health);
  }

  /// Who connects from now on is refused; the connections stay.
  void StopAccepting() { listener_->StopAccepting(); }
  /// No new call is accepted; accepted calls are finished, for `timeout` at most, then those who watch health are told
  /// that it is over. True if all were finished in time. Later calls are refused for as long as this object lives.
  bool Drain(batcher::Duration timeout);
  /// Listens no more, and tells every connection so (GOAWAY). A call that arrives just then ends with CANCELLED, as if
  /// its caller had done it: only when none come any more.
  void Close();

 private:
  GrpcServer(const Config& config, const PublicParts& parts);

  absl::Status Listen(const Config& config, std::shared_ptr<const TlsWatch> tls);

  Gate& gate_;
  const GrpcEdge edge_;
  GrpcHealth health_;
  std::atomic<bool> serving_;
  const oip::ServerFacts facts_;
  GrpcService service_;
  GrpcService inference_service_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<GrpcListener> listener_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_SERVER_H_
