// The Open Inference Protocol over HTTP: oip::RestRoutes on a router.
#ifndef BERTHA_SERVER_HTTP_REST_H_
#define BERTHA_SERVER_HTTP_REST_H_

#include <vector>

#include "server/http/http_router.h"
#include "server/http_edge.h"
#include "server/method.h"

namespace bertha::server {

/// `methods`: oip::PublicMethods or oip::RepositoryMethods; routes of others are left out. `edge` outlives the router's
/// server.
void AddRestRoutes(std::vector<Method> methods, const HttpEdge& edge, HttpRouter& router);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_REST_H_
