// bertha.v1.Bertha/StreamClassify over HTTP: newline-delimited JSON, a StreamClassifyRequest per line in, a
// StreamClassifyResponse per line out, both at the same time.
#ifndef BERTHA_SERVER_HTTP_STREAM_CLASSIFY_H_
#define BERTHA_SERVER_HTTP_STREAM_CLASSIFY_H_

#include <cstddef>

#include "server/http/http_router.h"
#include "server/http_edge.h"
#include "server/inference.h"

namespace bertha::server {

/// `max_in_flight`: unanswered requests of one stream; `max_line_bytes`: of one request. What is referred to outlives
/// the router's server.
void AddStreamClassify(const Inference& inference, const HttpEdge& edge, size_t max_in_flight, size_t max_line_bytes,
                       HttpRouter& router);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_STREAM_CLASSIFY_H_
