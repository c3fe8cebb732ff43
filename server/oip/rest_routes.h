// The Open Inference Protocol over HTTP, as a table: which path is which method of PublicMethods (rest_paths.h), how
// its request is read, and how its response is written. The transport does the rest: it routes, passes the gate, starts
// the method, and sends ErrorJson with the HTTP code of the status where one fails.
//
// Thread-safety: const after the first call.
#ifndef BERTHA_SERVER_OIP_REST_ROUTES_H_
#define BERTHA_SERVER_OIP_REST_ROUTES_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/oip/infer_json.h"
#include "server/oip/rest_paths.h"

namespace bertha::server::oip {

struct RestRequest {
  /// Of the path, decoded: what {model} and {version} stand for. Empty: there is none in it.
  std::string model, version;
  std::string body;
  /// Of the header kJsonLengthHeader.
  std::optional<size_t> json_length;
};

struct RestReply {
  int http_status = 200;
  InferBody body;
  /// Whether the body is JSON and nothing else.
  bool is_json() const { return !body.json_length.has_value(); }
};

struct RestRoute : RestPath {
  /// Fills the method's request. INVALID_ARGUMENT names the place.
  std::function<absl::Status(const RestRequest&, google::protobuf::Message& request)> read;
  /// Of a call that succeeded.
  std::function<RestReply(const google::protobuf::Message& request, const google::protobuf::Message& response)> write;
};

const std::vector<RestRoute>& RestRoutes();

/// A value of kJsonLengthHeader. INVALID_ARGUMENT unless it is a number.
absl::StatusOr<size_t> ParseJsonLength(const std::string& header);

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_REST_ROUTES_H_
