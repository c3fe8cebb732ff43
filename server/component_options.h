// Each component's options, as the configuration sets them. Callbacks are not set: whoever wires the components adds
// them. All take a configuration that Validate has accepted.
//
// Thread-safety: pure functions, but that some look at the machine: cores, memory, environment.
#ifndef BERTHA_SERVER_COMPONENT_OPTIONS_H_
#define BERTHA_SERVER_COMPONENT_OPTIONS_H_

#include "batcher/dispatcher.h"
#include "models/model.h"
#include "server/access.h"
#include "server/call.h"
#include "server/call_observer.h"
#include "server/client_address.h"
#include "server/config.h"
#include "server/connection_table.h"
#include "server/feedback/feedback_store.h"
#include "server/http/http_router.h"
#include "server/http/http_server.h"
#include "server/model_health.h"
#include "server/model_loader.h"
#include "server/model_watcher.h"

namespace bertha::server {

// What computes.
models::EngineOptions EngineOptionsOf(const Config& config);
batcher::DispatcherOptions DispatcherOptionsOf(const Config& config);
LoaderOptions LoaderOptionsOf(const Config& config);
WatcherOptions WatcherOptionsOf(const Config& config);
HealthOptions HealthOptionsOf(const Config& config);

// Calls.
Access::Options AccessOptionsOf(const Config& config);
CallLimits CallLimitsOf(const Config& config);
RequestLog RequestLogOf(const Config& config);
feedback::FeedbackOptions FeedbackOptionsOf(const Config& config);

// Listeners. What gRPC itself limits is in grpc_limits.h; who opens the TLS files gives HttpServerOptions what they
// hold.
/// What GrpcListener sees to.
ConnectionTable::Options ConnectionLimitsOf(const Config& config);
HttpServerOptions HttpServerOptionsOf(const Config& config);
TlsFiles TlsFilesOf(const Config& config);
CorsOrigins CorsOriginsOf(const Config& config);
TrustedProxies TrustedProxiesOf(const Config& config);
ForwardedHeader ForwardedHeaderOf(const Config& config);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_COMPONENT_OPTIONS_H_
