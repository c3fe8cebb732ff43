// The HTTP side of the listener for operators: bertha.v1.ModelControl as JSON, and the Open Inference Protocol's model
// repository, on an address of its own.
//
// Requests of web pages (with an Origin) are refused: one that an operator has open must not unload models.
#ifndef BERTHA_SERVER_HTTP_ADMIN_H_
#define BERTHA_SERVER_HTTP_ADMIN_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/config.h"
#include "server/gate.h"
#include "server/http/http_server.h"
#include "server/http_edge.h"
#include "server/listener_parts.h"

namespace bertha::server {

/// Listens until it is destroyed.
class HttpAdmin {
 public:
  /// UNAVAILABLE if `admin.http_address` cannot be had. What `parts` refers to outlives it. `tls` null:
  /// plaintext.
  static absl::StatusOr<std::unique_ptr<HttpAdmin>> Start(const Config& config, const AdminParts& parts,
                                                          std::shared_ptr<const TlsWatch> tls);

  const HttpRouter& router() const { return router_; }

 private:
  HttpAdmin(const Config& config, const AdminParts& parts);

  Gate gate_;  // of its own: operators may look on while the server drains
  const HttpEdge edge_;
  HttpRouter router_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_ADMIN_H_
