// Status line and header lines of a response, as bytes.
//
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_HTTP_RESPONSE_HEAD_H_
#define BERTHA_SERVER_HTTP_RESPONSE_HEAD_H_

#include <string>
#include <vector>

#include "server/http/http_message.h"

namespace bertha::server {

/// How the other end sees where the response ends.
enum class BodyEnd { kLength, kChunked, kClose };

struct HeadOptions {
  bool http_1_0 = false;
  bool keep_alive = true;
  BodyEnd end = BodyEnd::kLength;
};

/// `route_headers` stand behind the response's own. Control characters in values become spaces.
std::string ResponseHead(const HttpResponse& response, const std::vector<HttpHeader>& route_headers,
                         const HeadOptions& options);

/// Whether a response of this status can have a body at all.
bool MayHaveBody(int status);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_RESPONSE_HEAD_H_
