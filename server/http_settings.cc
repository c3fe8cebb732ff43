#include "server/http_settings.h"

#include <chrono>

namespace bertha::server {

HttpServerOptions HttpServerOptionsOf(const Config& config) {
  using std::chrono::milliseconds;
  const auto size = [](int64_t value) { return static_cast<size_t>(value); };
  return {.address = config.http_address,
          .io_threads = size(config.http_io_threads),
          .limits = {.max_connections = size(config.http_max_connections),
                     .max_connections_per_client = size(config.http_max_connections_per_client),
                     .max_requests_per_connection = size(config.http_max_requests_per_connection),
                     .max_header_bytes = size(config.http_max_header_bytes),
                     .max_target_bytes = size(config.http_max_header_bytes / 2),
                     .max_body_bytes = size(config.limits_max_message_bytes),
                     .header_timeout = milliseconds(config.http_header_timeout_ms),
                     .idle_timeout = milliseconds(config.http_idle_timeout_ms),
                     .stream_idle_timeout = milliseconds(config.http_stream_idle_timeout_ms),
                     .rate_window = milliseconds(config.http_rate_window_ms),
                     .min_bytes_per_second = size(config.http_min_bytes_per_second)},
          .tls = TlsFilesOf(config),
          .trusted_proxies = TrustedProxiesOf(config)};
}

TlsFiles TlsFilesOf(const Config& config) {
  return {.certificate = config.tls_certificate, .key = config.tls_key, .client_ca = config.tls_client_ca};
}

CorsOrigins CorsOriginsOf(const Config& config) { return *CorsOrigins::Parse(config.http_cors_origins); }

TrustedProxies TrustedProxiesOf(const Config& config) { return *TrustedProxies::Parse(config.trusted_proxies); }

ForwardedHeader ForwardedHeaderOf(const Config& config) {
  return config.trusted_proxy_header == "forwarded" ? ForwardedHeader::kForwarded : ForwardedHeader::kXForwardedFor;
}

}  // namespace bertha::server
