#include "server/http_front.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "embedded/bertha_api_files.h"
#include "embedded/bertha_web_files.h"
#include "server/bertha_methods.h"
#include "server/component_options.h"
#include "server/http/http_error.h"
#include "server/http/static_files.h"
#include "server/http_json.h"
#include "server/http_refusal.h"
#include "server/http_rest.h"
#include "server/http_stream_classify.h"
#include "server/metrics/exposition.h"
#include "server/retry.h"

namespace bertha::server {
namespace {

HttpResponse Answer(const Verdict& verdict) {
  if (!verdict.ok) return ErrorResponse(absl::UnavailableError(verdict.reason));
  return {.content_type = "text/plain; charset=utf-8", .body = "ok\n"};
}

}  // namespace

HttpFront::HttpFront(const Config& config, const PublicParts& parts)
    : edge_{parts.gate,
            parts.inference.clock(),
            parts.observer,
            [&inference = parts.inference](const absl::Status& status) { return RetryAfterMs(status, inference); },
            TrustedProxiesOf(config),
            ForwardedHeaderOf(config)},
      health_(parts.health),
      facts_{[&health = parts.health] { return health.Snapshot().ready.ok; }, config.admin_address},
      gpu_memory_(parts.inference.clock()),
      router_(CorsOriginsOf(config), RefusalsOf(edge_)) {
  AddJsonRoutes(BerthaMethods(parts.inference, parts.models), edge_, router_);
  AddRestRoutes(oip::PublicMethods(parts.inference, facts_), edge_, router_);
  AddStreamClassify(parts.inference, edge_, static_cast<size_t>(config.limits_max_stream_in_flight),
                    static_cast<size_t>(config.limits_max_message_bytes), router_);
  AddStaticFiles(WebFiles(), router_);
  AddStaticFiles(ApiFiles(), router_);
  AddPages(parts.inference, parts.models);
}

void HttpFront::AddPages(const Inference& inference, const ModelTable& models) {
  router_.Add("GET", "/healthz", [this](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->Send(Answer(health_.Snapshot().live));
  });
  router_.Add("GET", "/readyz", [this](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->Send(Answer(health_.Snapshot().ready));
  });
  router_.Add("GET", "/metrics",
              [this, &inference, &models](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
                const CallContext& context = inference.context();
                reply->Send({.content_type = kExpositionType,
                             .body = Exposition({models, context.dispatcher, edge_.gate, edge_.observer.metrics(),
                                                 gpu_memory_, health_, context.feedback})});
              });
}

absl::StatusOr<std::unique_ptr<HttpFront>> HttpFront::Start(const Config& config, const PublicParts& parts,
                                                            std::shared_ptr<const TlsWatch> tls) {
  std::unique_ptr<HttpFront> front(new HttpFront(config, parts));
  HttpServerOptions options = HttpServerOptionsOf(config);
  options.tls = std::move(tls);
  options.refuse = RefusalsOf(front->edge_);
  auto server =
      HttpServer::Start(options, [&router = front->router_](HttpRequest& request) { return router.Route(request); });
  if (!server.ok()) {
    return absl::Status(server.status().code(), absl::StrCat(server.status().message(),
                                                             " (http.address); choose another with --http-address, or "
                                                             "\"\" for none"));
  }
  front->server_ = *std::move(server);
  return front;
}

}  // namespace bertha::server
