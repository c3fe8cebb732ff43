#include "server/http_rest.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "server/http_json.h"
#include "server/oip/rest_routes.h"

namespace bertha::server {
namespace {

using google::protobuf::Message;

absl::Status Read(const oip::RestRoute& route, const HttpRequest& request, Message& message) {
  oip::RestRequest parts = {.model = std::string(request.parameter("model")),
                            .version = std::string(request.parameter("version")),
                            .body = request.body};
  if (const std::string* length = request.headers.Find(oip::kJsonLengthHeader)) {
    const absl::StatusOr<size_t> parsed = oip::ParseJsonLength(*length);
    if (!parsed.ok()) return parsed.status();
    parts.json_length = *parsed;
  }
  return route.read(parts, message);
}

HttpResponse Write(const oip::RestRoute& route, const Message& request, const Message& response) {
  oip::RestReply reply = route.write(request, response);
  HttpResponse http = {.status = reply.http_status,
                       .content_type = reply.is_json() ? "application/json" : "application/octet-stream"};
  if (!reply.is_json()) http.headers.emplace_back(oip::kJsonLengthHeader, std::to_string(*reply.body.json_length));
  http.body = std::move(reply.body.bytes);
  return http;
}

/// The codes and headers are those of every error.
HttpResponse Error(const absl::Status& status, HttpResponse response) {
  response.body = oip::ErrorJson(status);
  return response;
}

}  // namespace

void AddRestRoutes(std::vector<Method> methods, const HttpEdge& edge, HttpRouter& router) {
  struct Served {
    std::shared_ptr<const Method> method;
    CallCounters* counters;
  };
  std::map<std::string, Served> served;
  for (Method& method : methods) {
    CallCounters& counters = edge.observer.Register("http", method.name());
    const std::string name = method.name();
    served[name] = {std::make_shared<const Method>(std::move(method)), &counters};
  }
  for (const oip::RestRoute& route : oip::RestRoutes()) {
    const auto found = served.find(route.method);
    if (found == served.end()) continue;
    const Served& at = found->second;
    // Binary tensors are no JSON, and pages of other origins can change nothing here: on the public port there is
    // nothing to change, and HttpAdmin does not listen to pages.
    HttpForm form = {
        .needs_json = false,
        .read = [&route](const HttpRequest& request, Message& message) { return Read(route, request, message); },
        .write = [&route](const Message& request, const Message& response) { return Write(route, request, response); },
        .error = Error};
    AddRoute(route.verb, route.pattern, at.method, std::move(form), *at.counters, edge, router);
  }
}

}  // namespace bertha::server
