#include "server/http_admin.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "embedded/bertha_admin_api_files.h"
#include "server/bertha_methods.h"
#include "server/component_options.h"
#include "server/http/static_files.h"
#include "server/http_json.h"
#include "server/http_refusal.h"
#include "server/http_rest.h"
#include "server/oip/methods.h"
#include "server/retry_after.h"

namespace bertha::server {
namespace {

HttpRoute RefusePage(const HttpRefuse& refuse) {
  return {.handler = [refuse](const HttpRequest& request, const std::shared_ptr<HttpReply>& reply) {
    reply->Send(refuse(request, {403, "operators' calls are not taken from web pages"}));
  }};
}

}  // namespace

HttpAdmin::HttpAdmin(const Config& config, const AdminParts& parts)
    : gate_(parts.access, Listener::kAdmin),
      edge_{
          gate_, parts.clock, parts.observer, CarriedRetryAfterMs, TrustedProxiesOf(config), ForwardedHeaderOf(config)},
      router_({}, RefusalsOf(edge_)) {
  AddJsonRoutes(ModelControlMethods(parts.watcher), edge_, router_);
  AddRestRoutes(oip::RepositoryMethods(parts.models, parts.watcher), edge_, router_);
  AddStaticFiles(AdminApiFiles(), router_);
}

absl::StatusOr<std::unique_ptr<HttpAdmin>> HttpAdmin::Start(const Config& config, const AdminParts& parts,
                                                            std::shared_ptr<const TlsWatch> tls) {
  std::unique_ptr<HttpAdmin> admin(new HttpAdmin(config, parts));
  HttpServerOptions options = HttpServerOptionsOf(config);
  options.address = config.admin_http_address;
  options.io_threads = 1;
  options.tls = std::move(tls);
  options.refuse = RefusalsOf(admin->edge_);
  auto server = HttpServer::Start(options, [&router = admin->router_, refuse = options.refuse](HttpRequest& request) {
    return request.headers.Find("origin") ? RefusePage(refuse) : router.Route(request);
  });
  if (!server.ok()) {
    return absl::Status(server.status().code(), absl::StrCat(server.status().message(),
                                                             " (admin.http_address); choose another with "
                                                             "--admin-http-address, or \"\" for none"));
  }
  admin->server_ = *std::move(server);
  return admin;
}

}  // namespace bertha::server
