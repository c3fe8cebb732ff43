#include "tests/fuzz/infer_properties.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "server/oip/tensors.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/tokenizer_properties.h"

namespace bertha::server::oip::fuzz {
namespace {

/// Whether they could be read.
bool CheckTexts(const InputView& input) {
  const auto texts = ReadTexts(input);
  if (!texts.ok()) {
    CheckRefusal(texts.status());
    return false;
  }
  FUZZ_CHECK(input.tensor->datatype() == "BYTES");
  FUZZ_CHECK(static_cast<int64_t>(texts->size()) == input.tensor->shape(0));
  std::string raw;
  for (size_t i = 0; i < texts->size(); ++i) {
    AppendBytes((*texts)[i], raw);
    FUZZ_CHECK(input.raw || (*texts)[i] == input.tensor->contents().bytes_contents(static_cast<int>(i)));
  }
  FUZZ_CHECK(!input.raw || raw == *input.raw);
  return true;
}

template <class Number>
std::string RawOf(const IntegerMatrix& matrix) {
  std::string raw;
  for (size_t row = 0; row < matrix.rows(); ++row) {
    for (size_t column = 0; column < matrix.columns(); ++column) {
      const int64_t value = matrix.at(row, column);
      const auto number = static_cast<Number>(value);
      FUZZ_CHECK(number == value);
      AppendNumbers(&number, 1, raw);
    }
  }
  return raw;
}

bool CheckIntegers(const InputView& input) {
  const auto matrix = IntegerMatrix::Read(input);
  if (!matrix.ok()) {
    CheckRefusal(matrix.status());
    return false;
  }
  const InputTensor& tensor = *input.tensor;
  const bool wide = tensor.datatype() == "INT64";
  FUZZ_CHECK(wide || tensor.datatype() == "INT32");
  FUZZ_CHECK(static_cast<int64_t>(matrix->rows()) == tensor.shape(0));
  FUZZ_CHECK(static_cast<int64_t>(matrix->columns()) == tensor.shape(1));
  const std::string raw = wide ? RawOf<int64_t>(*matrix) : RawOf<int32_t>(*matrix);
  std::string expected;
  if (input.raw) {
    expected = std::string(*input.raw);
  } else if (wide) {
    const auto& elements = tensor.contents().int64_contents();
    AppendNumbers(elements.data(), static_cast<size_t>(elements.size()), expected);
  } else {
    const auto& elements = tensor.contents().int_contents();
    AppendNumbers(elements.data(), static_cast<size_t>(elements.size()), expected);
  }
  FUZZ_CHECK(raw == expected);
  return true;
}

}  // namespace

void CheckRefusal(const absl::Status& status) {
  FUZZ_CHECK_THAT(status.code() == absl::StatusCode::kInvalidArgument, status.ToString());
  tokenizer::fuzz::CheckMessage(status);
}

void CheckTensors(const inference::ModelInferRequest& request) {
  const auto inputs = InputsOf(request);
  if (!inputs.ok()) return CheckRefusal(inputs.status());
  FUZZ_CHECK(inputs->size() == static_cast<size_t>(request.inputs_size()));
  for (const InputView& input : *inputs) {
    const bool texts = CheckTexts(input), integers = CheckIntegers(input);
    FUZZ_CHECK(!(texts && integers));
  }
}

}  // namespace bertha::server::oip::fuzz
