// Answers to requests over HTTP that become no call: no such path, too large, no HTTP.
#ifndef BERTHA_SERVER_HTTP_REFUSAL_H_
#define BERTHA_SERVER_HTTP_REFUSAL_H_

#include "server/http/http_error.h"
#include "server/http_edge.h"

namespace bertha::server {

/// Errors in the form of the protocol that the path belongs to, logged as calls are. `edge` outlives it.
HttpRefuse RefusalsOf(const HttpEdge& edge);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_REFUSAL_H_
