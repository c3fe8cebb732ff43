// Every port of the daemon: gRPC and HTTP for callers, probes, and the two for operators. Those that speak TLS share
// one TlsWatch: they show the same certificate, and a new one at the same time.
//
// Thread-safety: SetHealth from any thread, the rest from one.
#ifndef BERTHA_SERVER_LISTENERS_H_
#define BERTHA_SERVER_LISTENERS_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "server/admin_server.h"
#include "server/config.h"
#include "server/grpc_probe.h"
#include "server/grpc_server.h"
#include "server/http_admin.h"
#include "server/http_front.h"
#include "server/listener_parts.h"
#include "server/tls_watch.h"

namespace bertha::server {

class Listeners {
 public:
  /// Opens the ports that `config` names, all or none. The parts outlive the listeners. UNAVAILABLE names the address
  /// that cannot be had; INVALID_ARGUMENT a file of TLS that cannot be used.
  static absl::StatusOr<std::unique_ptr<Listeners>> Open(const Config& config, const PublicParts& callers,
                                                         const AdminParts& operators);

  /// What gRPC health says from now on, here and on the probe port.
  void SetHealth(const HealthSnapshot& health);

  // The end, in this order.
  /// Everything is still answered, but an answer over HTTP closes its connection, so that its client looks elsewhere.
  void BeginLameDuck();
  /// Nobody can connect to gRPC any more, so that there are no connections once those that are open have grown old.
  void StopAccepting() { grpc_->StopAccepting(); }
  /// Refuses new calls and finishes accepted ones, for `timeout` at most. True if all were finished in time. Later gRPC
  /// calls are refused; HTTP no longer listens.
  bool Drain(batcher::Duration timeout);
  /// Ends the gRPC connections of callers and probes (GOAWAY), see GrpcServer::Close.
  void ClosePublic();
  /// Operators may look on until then. What they asked of the watcher must have been answered.
  void CloseAdmin();

 private:
  Listeners() = default;
  absl::Status OpenPublic(const Config& config, const PublicParts& callers, const std::shared_ptr<const TlsWatch>& tls);
  absl::Status OpenAdmin(const Config& config, const AdminParts& operators, const std::shared_ptr<const TlsWatch>& tls);

  // Null: the configuration names no address, or it is closed.
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<HttpFront> http_;
  std::unique_ptr<ProbeServer> probe_;
  std::unique_ptr<HttpAdmin> admin_http_;
  std::unique_ptr<AdminServer> admin_grpc_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_LISTENERS_H_
