#include "server/oip/tensors.h"

#include <bit>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "tokenizer/json_reader.h"

namespace bertha::server::oip {
namespace {

using inference::InferTensorContents;
using tokenizer::Quoted;

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

/// More than any message can hold; the bytes of two such dimensions still fit into 64 bits.
constexpr int64_t kMaxDimension = 1 << 28;
constexpr size_t kLengthBytes = 4;

template <class... Parts>
absl::Status Bad(const InputView& input, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(input.tensor->name()), ": ", parts...));
}

int TypedElements(const InferTensorContents& contents) {
  return contents.bool_contents_size() + contents.int_contents_size() + contents.int64_contents_size() +
         contents.uint_contents_size() + contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

/// `elements` of the field that the data type has in `contents`, called `field`: as many as the shape says, and none in
/// another one.
absl::Status CheckTyped(const InputView& input, absl::string_view field, int elements, size_t expected) {
  const int all = TypedElements(input.tensor->contents());
  if (all != elements) {
    return Bad(input, "has elements in a field of `contents` that is not that of ", Quoted(input.tensor->datatype()),
               ", which is ", field);
  }
  if (static_cast<size_t>(elements) == expected) return absl::OkStatus();
  return Bad(input, "has ", elements, " elements in contents.", field, ", its shape ", ShapeText(*input.tensor),
             " needs ", expected);
}

absl::Status CheckDimensions(const InputView& input) {
  for (const int64_t dimension : input.tensor->shape()) {
    if (dimension >= 1 && dimension <= kMaxDimension) continue;
    return Bad(input, "has the shape ", ShapeText(*input.tensor),
               dimension > kMaxDimension ? ", which is too large" : "; each dimension must be at least 1");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<absl::string_view>> ReadRawTexts(const InputView& input, size_t expected) {
  absl::string_view rest = *input.raw;
  // Its length says at once whether so many can be in it: nothing is reserved on the word of a shape alone.
  if (rest.size() / kLengthBytes < expected) {
    return Bad(input, "has ", rest.size(), " bytes of raw contents, too few for the shape ", ShapeText(*input.tensor));
  }
  std::vector<absl::string_view> texts;
  texts.reserve(expected);
  while (!rest.empty()) {
    uint32_t length = 0;
    const size_t at = input.raw->size() - rest.size();
    if (rest.size() < kLengthBytes) return Bad(input, "its raw contents end in the middle of a length, at byte ", at);
    std::memcpy(&length, rest.data(), kLengthBytes);
    rest.remove_prefix(kLengthBytes);
    if (length > rest.size()) {
      return Bad(input, "element ", texts.size(), " of the raw contents is ", length, " bytes long, ", rest.size(),
                 " are left");
    }
    if (texts.size() == expected) {
      return Bad(input, "has more elements in its raw contents than its shape ", ShapeText(*input.tensor), " says");
    }
    texts.push_back(rest.substr(0, length));
    rest.remove_prefix(length);
  }
  if (texts.size() == expected) return texts;
  return Bad(input, "has ", texts.size(), " elements in its raw contents, its shape ", ShapeText(*input.tensor),
             " needs ", expected);
}

}  // namespace

std::string ShapeText(const InputTensor& tensor) {
  constexpr int kShown = 6;
  std::string text = "[";
  for (int i = 0; i < tensor.shape_size() && i < kShown; ++i) absl::StrAppend(&text, i > 0 ? "," : "", tensor.shape(i));
  return text + (tensor.shape_size() > kShown ? ",...]" : "]");
}

void AppendBytes(absl::string_view element, std::string& raw) {
  const auto length = static_cast<uint32_t>(element.size());
  AppendNumbers(&length, 1, raw);
  raw.append(element.data(), element.size());
}

absl::StatusOr<std::vector<InputView>> InputsOf(const inference::ModelInferRequest& request) {
  const int raw = request.raw_input_contents_size();
  if (raw != 0 && raw != request.inputs_size()) {
    return absl::InvalidArgumentError(absl::StrCat("raw_input_contents: has ", raw, " elements, there are ",
                                                   request.inputs_size(), " inputs; send one for each, or none"));
  }
  std::vector<InputView> inputs;
  std::set<absl::string_view> names;
  for (int i = 0; i < request.inputs_size(); ++i) {
    InputView input{&request.inputs(i), {}};
    if (!names.insert(input.tensor->name()).second) return Bad(input, "is there twice");
    if (input.tensor->parameters().contains("shared_memory_region")) {
      return Bad(input, "shared memory is not supported; send the elements");
    }
    if (raw != 0) {
      input.raw = request.raw_input_contents(i);
      if (TypedElements(input.tensor->contents()) > 0) {
        return Bad(input, "has elements in `contents` and in raw_input_contents; send one of them");
      }
    }
    inputs.push_back(input);
  }
  return inputs;
}

absl::StatusOr<std::vector<absl::string_view>> ReadTexts(const InputView& input) {
  const InputTensor& tensor = *input.tensor;
  if (tensor.datatype() != "BYTES")
    return Bad(input, "has the data type ", Quoted(tensor.datatype()), ", expected BYTES");
  if (absl::Status status = CheckDimensions(input); !status.ok()) return status;
  if (tensor.shape_size() < 1 || tensor.shape_size() > 2 || (tensor.shape_size() == 2 && tensor.shape(1) != 1)) {
    return Bad(input, "has the shape ", ShapeText(tensor), ", expected [n] or [n,1]");
  }
  const auto expected = static_cast<size_t>(tensor.shape(0));
  if (input.raw) return ReadRawTexts(input, expected);
  const auto& elements = tensor.contents().bytes_contents();
  if (absl::Status status = CheckTyped(input, "bytes_contents", elements.size(), expected); !status.ok()) return status;
  return std::vector<absl::string_view>(elements.begin(), elements.end());
}

absl::StatusOr<IntegerMatrix> IntegerMatrix::Read(const InputView& input) {
  const InputTensor& tensor = *input.tensor;
  IntegerMatrix matrix;
  matrix.wide_ = tensor.datatype() == "INT64";
  if (!matrix.wide_ && tensor.datatype() != "INT32") {
    return Bad(input, "has the data type ", Quoted(tensor.datatype()), ", expected INT64 or INT32");
  }
  if (absl::Status status = CheckDimensions(input); !status.ok()) return status;
  if (tensor.shape_size() != 2) return Bad(input, "has the shape ", ShapeText(tensor), ", expected [n,length]");
  matrix.rows_ = static_cast<size_t>(tensor.shape(0));
  matrix.columns_ = static_cast<size_t>(tensor.shape(1));
  const size_t expected = matrix.rows_ * matrix.columns_;
  if (input.raw) {
    const size_t bytes = expected * (matrix.wide_ ? sizeof(int64_t) : sizeof(int32_t));
    if (input.raw->size() != bytes) {
      return Bad(input, "has ", input.raw->size(), " bytes of raw contents, its shape ", ShapeText(tensor), " and ",
                 tensor.datatype(), " need ", bytes);
    }
    matrix.raw_ = *input.raw;
    return matrix;
  }
  matrix.tensor_ = &tensor;
  const int elements = matrix.wide_ ? tensor.contents().int64_contents_size() : tensor.contents().int_contents_size();
  absl::Status status = CheckTyped(input, matrix.wide_ ? "int64_contents" : "int_contents", elements, expected);
  if (!status.ok()) return status;
  return matrix;
}

int64_t IntegerMatrix::at(size_t row, size_t column) const {
  const size_t i = row * columns_ + column;
  if (tensor_ && wide_) return tensor_->contents().int64_contents(static_cast<int>(i));
  if (tensor_) return tensor_->contents().int_contents(static_cast<int>(i));
  if (!wide_) {
    int32_t value = 0;
    std::memcpy(&value, raw_.data() + i * sizeof(value), sizeof(value));
    return value;
  }
  int64_t value = 0;
  std::memcpy(&value, raw_.data() + i * sizeof(value), sizeof(value));
  return value;
}

}  // namespace bertha::server::oip
