// ModelInfer over HTTP: its messages as JSON, with or without Triton's extension for binary tensors.
//
//   {"id": "7", "parameters": {...}, "inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a",
//   "b"]}],
//    "outputs": [{"name": "label", "parameters": {"binary_data": true}}]}
//
// `data` is flat or nested as the shape says; elements of BYTES are strings, those of INT32 and INT64 integers. A
// tensor with the parameter "binary_data_size" has its elements behind the JSON instead, as raw_input_contents has
// them; the header Inference-Header-Content-Length then says where the JSON ends. An output is binary if its parameter
// "binary_data" is true, or if it has none and the request's "binary_data_output" is. What is not known is refused.
//
// Thread-safety: pure functions.
#ifndef BERTHA_SERVER_OIP_INFER_JSON_H_
#define BERTHA_SERVER_OIP_INFER_JSON_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "inference/grpc_service.pb.h"

namespace bertha::server::oip {

/// Fills `request`, which is empty but for model and version, with all tensors in raw_input_contents. `json_length`:
/// of kJsonLengthHeader. INVALID_ARGUMENT with the place, e.g. "$.inputs[0].data[3]: expected a string".
absl::Status ReadInferRequest(const std::string& body, std::optional<size_t> json_length,
                              inference::ModelInferRequest& request);

struct InferBody {
  std::string bytes;
  /// For kJsonLengthHeader; absent if all is JSON.
  std::optional<size_t> json_length;
};

/// `response` is that of `request`.
InferBody WriteInferResponse(const inference::ModelInferRequest& request,
                             const inference::ModelInferResponse& response);

/// {"error": "..."}
std::string ErrorJson(const absl::Status& status);

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_INFER_JSON_H_
