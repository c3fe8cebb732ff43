// A table of methods over HTTP: each at its JsonRoute, messages as JSON, errors as http_error.h says.
#ifndef BERTHA_SERVER_HTTP_JSON_H_
#define BERTHA_SERVER_HTTP_JSON_H_

#include <vector>

#include "server/http/http_router.h"
#include "server/http_edge.h"
#include "server/method.h"

namespace bertha::server {

/// `edge` outlives the router's server.
void AddJsonRoutes(std::vector<Method> methods, const HttpEdge& edge, HttpRouter& router);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_JSON_H_
