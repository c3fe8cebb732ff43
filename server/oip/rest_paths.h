// Where the Open Inference Protocol's methods are over HTTP: one table for the server (rest_routes.h) and for its
// OpenAPI document.
//
// Source: the protocol's REST part, and Triton's extensions of it. Thread-safety: const after the first call.
#ifndef BERTHA_SERVER_OIP_REST_PATHS_H_
#define BERTHA_SERVER_OIP_REST_PATHS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace bertha::server::oip {

struct RestPath {
  std::string verb;
  /// As in "/v2/models/{model}/versions/{version}/infer".
  std::string pattern;
  /// Its method's name, e.g. "ModelInfer".
  std::string method;
};

const std::vector<RestPath>& RestPaths();

/// Whether a request's path is the protocol's, be there anything or not.
bool IsRestPath(absl::string_view path);

/// The name of the header that says how many bytes of a body are JSON.
inline constexpr char kJsonLengthHeader[] = "Inference-Header-Content-Length";

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_REST_PATHS_H_
