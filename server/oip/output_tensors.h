// What a model computed, as output tensors of the Open Inference Protocol.
//
// Classification: `label` BYTES [n] and `score` FP32 [n], the best label and its score, and `logits` FP32 [n, labels].
// With the parameter "classification" = k (Triton's extension) `score` and `logits` are BYTES [n, k] instead, the k
// best labels of each text as "value:index:label". Embeddings: `embedding` FP32 [n, dimension].
//
// Thread-safety: free functions without state.
#ifndef BERTHA_SERVER_OIP_OUTPUT_TENSORS_H_
#define BERTHA_SERVER_OIP_OUTPUT_TENSORS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"
#include "models/manifest.h"

namespace bertha::server::oip {

enum class OutputKind { kLabel, kScore, kLogits, kEmbedding };

struct OutputTensor {
  OutputKind kind;
  const char* name;
  /// As the protocol calls it; "FP32" or "BYTES".
  const char* datatype;
  /// Numbers of a row; 0: one, and the tensor has no second dimension.
  size_t width = 0;
  /// Whether a request that names no outputs gets it.
  bool by_default = true;
};

/// Those of a model; none if the protocol has no form for its task.
std::vector<OutputTensor> OutputTensorsOf(const models::Manifest& manifest);

struct RequestedOutput {
  OutputTensor tensor;
  /// Labels as text, best first; 0: the tensor itself.
  size_t classes = 0;
};

/// The outputs that a request wants, in its order. INVALID_ARGUMENT names one that the model does not have, or that is
/// there twice, and a "classification" that is no number above 0 or does not go with the tensor.
absl::StatusOr<std::vector<RequestedOutput>> RequestedOutputsOf(const inference::ModelInferRequest& request,
                                                                const models::Manifest& manifest);

/// A row of numbers for each input.
struct OutputRows {
  size_t width = 0;
  std::vector<float> values;  // [n, width]
};

/// Adds `outputs` to a response.
void AddOutputs(const std::vector<RequestedOutput>& outputs, const models::Manifest& manifest, const OutputRows& rows,
                inference::ModelInferResponse& response);

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_OUTPUT_TENSORS_H_
