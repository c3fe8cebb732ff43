#include "server/http_admin.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "embedded/bertha_admin_api_files.h"
#include "server/bertha_methods.h"
#include "server/http/http_error.h"
#include "server/http/static_files.h"
#include "server/http_json.h"
#include "server/http_rest.h"
#include "server/http_settings.h"
#include "server/oip/methods.h"
#include "server/retry_after.h"

namespace bertha::server {
namespace {

HttpRoute RefusePage() {
  return {.handler = [](const HttpRequest&, const std::shared_ptr<HttpReply>& reply) {
    reply->Send(ErrorResponse(absl::PermissionDeniedError("operators' calls are not taken from web pages")));
  }};
}

}  // namespace

HttpAdmin::HttpAdmin(const Config& config, Access* access, const ModelTable& models, ModelWatcher& watcher,
                     const batcher::Clock& clock, CallObserver& observer)
    : gate_(access, Listener::kAdmin),
      edge_{gate_, clock, observer, CarriedRetryAfterMs, TrustedProxiesOf(config), ForwardedHeaderOf(config)} {
  AddJsonRoutes(ModelControlMethods(watcher), edge_, router_);
  AddRestRoutes(oip::RepositoryMethods(models, watcher), edge_, router_);
  AddStaticFiles(AdminApiFiles(), router_);
}

absl::StatusOr<std::unique_ptr<HttpAdmin>> HttpAdmin::Start(const Config& config, Access* access,
                                                            const ModelTable& models, ModelWatcher& watcher,
                                                            const batcher::Clock& clock, CallObserver& observer) {
  std::unique_ptr<HttpAdmin> admin(new HttpAdmin(config, access, models, watcher, clock, observer));
  HttpServerOptions options = HttpServerOptionsOf(config);
  options.address = config.admin_http_address;
  options.io_threads = 1;
  if (config.admin_tls != "true") options.tls = {};
  auto server = HttpServer::Start(options, [&router = admin->router_](HttpRequest& request) {
    return request.headers.Find("origin") ? RefusePage() : router.Route(request);
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
