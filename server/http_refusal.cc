#include "server/http_refusal.h"

#include "server/oip/infer_json.h"
#include "server/oip/rest_paths.h"

namespace bertha::server {

HttpRefuse RefusalsOf(const HttpEdge& edge) {
  return [&edge](const HttpRequest& request, const HttpFailure& failure) {
    HttpResponse response = RefusePlainly(request, failure);
    if (oip::IsRestPath(request.path)) response.body = oip::ErrorJson(absl::UnknownError(failure.message));
    edge.observer.OnRefused(CallerOf(request, edge), response.status);
    return response;
  };
}

}  // namespace bertha::server
