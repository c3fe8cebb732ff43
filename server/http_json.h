// A table of methods over HTTP: each at its JsonRoute, messages as JSON, errors as http_error.h says.
#ifndef BERTHA_SERVER_HTTP_JSON_H_
#define BERTHA_SERVER_HTTP_JSON_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/http/http_router.h"
#include "server/http_edge.h"
#include "server/method.h"

namespace bertha::server {

/// How a method's messages look over HTTP.
struct HttpForm {
  /// Whether a body must say that it is JSON.
  bool needs_json = true;
  std::function<absl::Status(const HttpRequest& request, google::protobuf::Message& message)> read;
  std::function<HttpResponse(const google::protobuf::Message& request, const google::protobuf::Message& response)>
      write;
  /// Of a call that failed, from ErrorResponse's.
  std::function<HttpResponse(const absl::Status& status, HttpResponse response)> error;
};

/// A method at a path. `edge` outlives the router's server, as do `counters`.
void AddRoute(const std::string& verb, const std::string& pattern, std::shared_ptr<const Method> method, HttpForm form,
              CallCounters& counters, const HttpEdge& edge, HttpRouter& router);

/// `edge` outlives the router's server.
void AddJsonRoutes(std::vector<Method> methods, const HttpEdge& edge, HttpRouter& router);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_JSON_H_
