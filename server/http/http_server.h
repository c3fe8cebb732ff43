// An HTTP/1.1 server: a fixed number of threads for any number of connections; handlers answer when they can.
//
// It starts listening in Start. BeginDrain makes every answer close its connection, so that clients go elsewhere, but
// still serves; Stop no longer listens, lets what is under way end, and cuts off what does not.
//
// Thread-safety: thread-safe, but Start and Stop once each. Handlers run on the I/O threads and must not block.
#ifndef BERTHA_SERVER_HTTP_HTTP_SERVER_H_
#define BERTHA_SERVER_HTTP_HTTP_SERVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/client_address.h"
#include "server/http/http_error.h"
#include "server/http/http_limits.h"
#include "server/http/http_message.h"
#include "server/http/http_router.h"
#include "server/tls_watch.h"

namespace bertha::server {

struct HttpServerOptions {
  /// host:port, [IPv6]:port; port 0: any that is free.
  std::string address = "127.0.0.1:8000";
  /// Threads that read, parse, call handlers and write. One does some ten thousand requests a second.
  size_t io_threads = 1;
  HttpLimits limits;
  /// Null: plaintext.
  std::shared_ptr<const TlsWatch> tls;
  /// Not held to max_connections_per_client: many clients stand behind them.
  TrustedProxies trusted_proxies;
  /// Of requests that are no HTTP, break a limit, or come on a connection too many.
  HttpRefuse refuse = RefusePlainly;
};

/// Since the start, but for `open`.
struct HttpStats {
  uint64_t open_connections = 0;
  uint64_t accepted_connections = 0;
  /// Turned away for the limits on connections.
  uint64_t refused_connections = 0;
  uint64_t requests = 0;
  /// Answered by the server itself: no HTTP, or too large.
  uint64_t malformed_requests = 0;
  /// Closed for being too slow; idle ones do not count.
  uint64_t timed_out_connections = 0;
};

class HttpServer {
 public:
  /// Decides, when a request's header is there, who answers it; usually HttpRouter::Route.
  using Route = std::function<HttpRoute(HttpRequest&)>;

  /// INVALID_ARGUMENT: no such address; UNAVAILABLE: the address is taken.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, Route route);
  /// Stops at once, unless Stop was called.
  ~HttpServer();

  uint16_t port() const;
  HttpStats stats() const;
  void BeginDrain();
  /// Returns when every connection has ended, after `grace` at the latest. Requests that are cut off are abandoned.
  void Stop(std::chrono::milliseconds grace);

 private:
  class Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);

  const std::shared_ptr<Impl> impl_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_SERVER_H_
