// ModelInferRequests, and what is in a response's raw contents.
#ifndef BERTHA_TESTS_SERVER_INFER_FIXTURE_H_
#define BERTHA_TESTS_SERVER_INFER_FIXTURE_H_

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "server/oip/tensors.h"
#include "tests/server/fixture.h"

namespace bertha::server::oip {

using Request = inference::ModelInferRequest;
using Response = inference::ModelInferResponse;

inline InputTensor& AddTensor(Request& request, const std::string& name, const std::string& datatype,
                              const std::vector<int64_t>& shape) {
  InputTensor& tensor = *request.add_inputs();
  tensor.set_name(name);
  tensor.set_datatype(datatype);
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  return tensor;
}

inline std::string RawTexts(const std::vector<std::string>& texts) {
  std::string raw;
  for (const std::string& text : texts) AppendBytes(text, raw);
  return raw;
}

template <class Number>
std::string RawNumbers(const std::vector<Number>& numbers) {
  std::string raw;
  AppendNumbers(numbers.data(), numbers.size(), raw);
  return raw;
}

/// Texts in `contents`.
inline Request TypedTexts(const std::vector<std::string>& texts, const std::string& name = "text") {
  Request request;
  InputTensor& tensor = AddTensor(request, name, "BYTES", {static_cast<int64_t>(texts.size())});
  for (const std::string& text : texts) tensor.mutable_contents()->add_bytes_contents(text);
  return request;
}

/// The same in raw_input_contents, of shape [n, 1].
inline Request RawTextRequest(const std::vector<std::string>& texts) {
  Request request;
  AddTensor(request, "text", "BYTES", {static_cast<int64_t>(texts.size()), 1});
  request.add_raw_input_contents(RawTexts(texts));
  return request;
}

/// Tokens in `contents`, as INT64.
inline Request Tokens(const std::vector<std::vector<int64_t>>& ids, const std::vector<std::vector<int64_t>>& mask,
                      const std::vector<std::vector<int64_t>>& types = {}) {
  Request request;
  const auto add = [&](const char* name, const std::vector<std::vector<int64_t>>& rows) {
    InputTensor& tensor =
        AddTensor(request, name, "INT64", {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows.at(0).size())});
    for (const auto& row : rows) {
      for (const int64_t value : row) tensor.mutable_contents()->add_int64_contents(value);
    }
  };
  add("input_ids", ids);
  add("attention_mask", mask);
  if (!types.empty()) add("token_type_ids", types);
  return request;
}

inline Request Wanting(Request request, const std::vector<std::string>& outputs, int64_t classes = 0) {
  for (const std::string& name : outputs) {
    auto& output = *request.add_outputs();
    output.set_name(name);
    if (classes != 0) (*output.mutable_parameters())["classification"].set_int64_param(classes);
  }
  return request;
}

inline std::vector<float> Floats(const Response& response, int output) {
  const std::string& raw = response.raw_output_contents(output);
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

inline std::vector<std::string> Texts(const Response& response, int output) {
  absl::string_view rest = response.raw_output_contents(output);
  std::vector<std::string> texts;
  while (rest.size() >= 4) {
    uint32_t length = 0;
    std::memcpy(&length, rest.data(), 4);
    texts.emplace_back(rest.substr(4, length));
    rest.remove_prefix(std::min<size_t>(rest.size(), 4 + length));
  }
  return texts;
}

inline std::vector<int64_t> Shape(const Response& response, int output) {
  const auto& shape = response.outputs(output).shape();
  return {shape.begin(), shape.end()};
}

}  // namespace bertha::server::oip

#endif  // BERTHA_TESTS_SERVER_INFER_FIXTURE_H_
