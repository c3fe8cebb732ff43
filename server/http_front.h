// The HTTP listener: the calls of bertha.v1 as JSON, the Open Inference Protocol, their OpenAPI document, metrics,
// health, and the web page.
#ifndef BERTHA_SERVER_HTTP_FRONT_H_
#define BERTHA_SERVER_HTTP_FRONT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/http/http_server.h"
#include "server/http_edge.h"
#include "server/listener_parts.h"
#include "server/metrics/gpu_memory.h"
#include "server/oip/methods.h"

namespace bertha::server {

class HttpFront {
 public:
  /// Listens from now on. UNAVAILABLE if the address cannot be had. What `parts` refers to outlives it. `tls` null:
  /// plaintext.
  static absl::StatusOr<std::unique_ptr<HttpFront>> Start(const Config& config, const PublicParts& parts,
                                                          std::shared_ptr<const TlsWatch> tls);

  const HttpRouter& router() const { return router_; }
  /// From now on each reply closes its connection.
  void BeginDrain() { server_->BeginDrain(); }
  /// Ends all connections, after `grace` at the latest.
  void Stop(std::chrono::milliseconds grace) { server_->Stop(grace); }

 private:
  HttpFront(const Config& config, const PublicParts& parts);
  void AddPages(const Inference& inference, const ModelTable& models);

  const HttpEdge edge_;
  const HealthBoard& health_;
  const oip::ServerFacts facts_;
  GpuMemory gpu_memory_;
  HttpRouter router_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_FRONT_H_
