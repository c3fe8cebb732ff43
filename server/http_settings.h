// The HTTP server's options, as the configuration sets them.
#ifndef BERTHA_SERVER_HTTP_SETTINGS_H_
#define BERTHA_SERVER_HTTP_SETTINGS_H_

#include "server/client_address.h"
#include "server/config.h"
#include "server/http/http_router.h"
#include "server/http/http_server.h"

namespace bertha::server {

// All of them take a configuration that Validate has accepted.
HttpServerOptions HttpServerOptionsOf(const Config& config);
TlsFiles TlsFilesOf(const Config& config);
CorsOrigins CorsOriginsOf(const Config& config);
TrustedProxies TrustedProxiesOf(const Config& config);
ForwardedHeader ForwardedHeaderOf(const Config& config);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_SETTINGS_H_
