// What a client of the HTTP server may do, and for how long.
#ifndef BERTHA_SERVER_HTTP_HTTP_LIMITS_H_
#define BERTHA_SERVER_HTTP_HTTP_LIMITS_H_

#include <chrono>
#include <cstddef>

namespace bertha::server {

struct HttpLimits {
  /// Open connections; more are turned away with 503. An idle one costs little memory, but each one a descriptor: the
  /// server takes three quarters of those that the process may have as a limit too.
  size_t max_connections = 16'384;
  /// Of one client address; more are turned away with 429. Trusted proxies are exempt. 0: no limit.
  size_t max_connections_per_client = 4096;
  /// Requests on one connection; the last one's answer closes it, so that clients spread again over servers.
  size_t max_requests_per_connection = 100'000;
  /// Request line and header lines together; more: 431.
  size_t max_header_bytes = 16 << 10;
  /// Header lines; more: 431.
  size_t max_headers = 100;
  /// The request target; more: 414.
  size_t max_target_bytes = 8 << 10;
  /// A body that is read as a whole; more: 413, before it is read where Content-Length tells.
  size_t max_body_bytes = 8 << 20;
  /// From a request's first byte to the end of its header; longer: 408. Also for a TLS handshake.
  std::chrono::milliseconds header_timeout{10'000};
  /// Between requests, and before the first one; longer: the connection is closed.
  std::chrono::milliseconds idle_timeout{75'000};
  /// A stream on which nothing comes or goes for so long is cut off.
  std::chrono::milliseconds stream_idle_timeout{300'000};
  /// Within each such time a body must bring, and a client that is being answered must take, min_bytes_per_second;
  /// otherwise 408, or the connection is closed. Streams are exempt while they are read, not while they are written.
  std::chrono::milliseconds rate_window{10'000};
  size_t min_bytes_per_second = 240;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_LIMITS_H_
