// What is configured reaches the parts.
#include "server/component_options.h"

#include "tests/catch.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;

TEST_CASE("TheListenersLimitsAreThoseOfTheConfiguration") {
  Config config;
  config.limits_max_connections = 2001;
  config.limits_max_connections_per_client = 2002;
  config.limits_max_resets_per_second = 2003;
  config.limits_max_concurrent_streams = 2004;
  config.limits_max_message_bytes = 2005;
  const ConnectionTable::Options options = ConnectionLimitsOf(config);
  CHECK(options.max_connections == 2001);
  CHECK(options.max_per_client == 2002);
  CHECK(options.judge.max_resets_per_second == 2003);
  CHECK(options.judge.max_open_streams == 2004);
  CHECK(options.judge.max_message_bytes == 2005);
}

TEST_CASE("TheHttpServersSettingsAreThoseOfTheConfiguration") {
  Config config;
  config.http_address = "127.0.0.1:1234";
  config.http_io_threads = 3;
  config.http_max_connections = 2001;
  config.http_max_connections_per_client = 2002;
  config.http_max_requests_per_connection = 2003;
  config.http_max_header_bytes = 4008;
  config.limits_max_message_bytes = 2005;
  config.http_header_timeout_ms = 2006;
  config.http_idle_timeout_ms = 2007;
  config.http_stream_idle_timeout_ms = 2008;
  config.http_rate_window_ms = 2009;
  config.http_min_bytes_per_second = 2010;
  config.trusted_proxies = "10.0.0.0/8";
  const HttpServerOptions options = HttpServerOptionsOf(config);
  CHECK(options.address == "127.0.0.1:1234");
  CHECK(options.io_threads == 3);
  CHECK(options.limits.max_connections == 2001);
  CHECK(options.limits.max_connections_per_client == 2002);
  CHECK(options.limits.max_requests_per_connection == 2003);
  CHECK(options.limits.max_header_bytes == 4008);
  CHECK(options.limits.max_target_bytes == 2004);
  CHECK(options.limits.max_body_bytes == 2005);
  CHECK(options.limits.header_timeout == milliseconds(2006));
  CHECK(options.limits.idle_timeout == milliseconds(2007));
  CHECK(options.limits.stream_idle_timeout == milliseconds(2008));
  CHECK(options.limits.rate_window == milliseconds(2009));
  CHECK(options.limits.min_bytes_per_second == 2010);
  CHECK(options.trusted_proxies.Contains(*IpAddress::Parse("10.1.2.3")));
  CHECK_FALSE(options.trusted_proxies.Contains(*IpAddress::Parse("11.1.2.3")));
}

TEST_CASE("OnlyTheConfiguredOriginsAreAllowed") {
  Config config;
  CHECK_FALSE(CorsOriginsOf(config).enabled());
  config.http_cors_origins = "https://a.example,https://b.example:8443";
  CHECK(CorsOriginsOf(config).Allowed("https://b.example:8443") == "https://b.example:8443");
  CHECK(CorsOriginsOf(config).Allowed("https://c.example").empty());
}

TEST_CASE("OnlyTheConfiguredProxiesAreTrusted") {
  Config config;
  CHECK_FALSE(TrustedProxiesOf(config).Contains(*IpAddress::Parse("127.0.0.1")));
  config.trusted_proxies = "127.0.0.1/32, 2001:db8::/32";
  CHECK(TrustedProxiesOf(config).Contains(*IpAddress::Parse("127.0.0.1")));
  CHECK(TrustedProxiesOf(config).Contains(*IpAddress::Parse("2001:db8::7")));
  CHECK_FALSE(TrustedProxiesOf(config).Contains(*IpAddress::Parse("127.0.0.2")));
}

TEST_CASE("TheConfiguredHeaderOfProxiesIsRead") {
  Config config;
  CHECK(ForwardedHeaderOf(config) == ForwardedHeader::kXForwardedFor);
  config.trusted_proxy_header = "forwarded";
  CHECK(ForwardedHeaderOf(config) == ForwardedHeader::kForwarded);
}

TEST_CASE("TheConfiguredTlsFilesAreUsed") {
  Config config;
  CHECK_FALSE(TlsFilesOf(config).enabled());
  config.tls_certificate = "c.pem";
  config.tls_key = "k.pem";
  config.tls_client_ca = "ca.pem";
  const TlsFiles files = TlsFilesOf(config);
  CHECK(files.certificate == "c.pem");
  CHECK(files.key == "k.pem");
  CHECK(files.client_ca == "ca.pem");
}

}  // namespace
}  // namespace bertha::server
