// The elements of an Open Inference Protocol tensor, read in place: from `contents` or from `raw_input_contents`, whose
// layout is the protocol's (little-endian; each element of BYTES after its length in four bytes).
//
// Every error is INVALID_ARGUMENT that begins with the tensor's name. Names come from outside and are quoted and cut.
// Thread-safety: values are views of the request, which outlives them; free functions without state.
#ifndef BERTHA_SERVER_OIP_TENSORS_H_
#define BERTHA_SERVER_OIP_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"

namespace bertha::server::oip {

using InputTensor = inference::ModelInferRequest::InferInputTensor;

/// An input of a request, with its raw elements if the request has those.
struct InputView {
  const InputTensor* tensor = nullptr;
  std::optional<absl::string_view> raw;
};

/// All inputs of a request, in order, once it is sure that raw and typed elements are not mixed and that no name is
/// there twice.
absl::StatusOr<std::vector<InputView>> InputsOf(const inference::ModelInferRequest& request);

/// The elements of a BYTES tensor of shape [n] or [n, 1], n >= 1.
absl::StatusOr<std::vector<absl::string_view>> ReadTexts(const InputView& input);

/// An INT32 or INT64 tensor of shape [rows, columns], both >= 1.
class IntegerMatrix {
 public:
  static absl::StatusOr<IntegerMatrix> Read(const InputView& input);

  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  int64_t at(size_t row, size_t column) const;

 private:
  const InputTensor* tensor_ = nullptr;  // null: raw_ has the elements
  absl::string_view raw_;
  bool wide_ = false;  // INT64
  size_t rows_ = 0, columns_ = 0;
};

/// As the protocol writes shapes: "[2,-1]". Long ones are cut.
std::string ShapeText(const InputTensor& tensor);

/// Appends an element of a BYTES tensor to raw contents.
void AppendBytes(absl::string_view element, std::string& raw);
/// Appends numbers to raw contents; little-endian, as are the machines that this runs on.
template <class Number>
void AppendNumbers(const Number* numbers, size_t count, std::string& raw) {
  raw.append(reinterpret_cast<const char*>(numbers), count * sizeof(Number));
}

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_TENSORS_H_
