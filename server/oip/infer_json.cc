#include "server/oip/infer_json.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/json.h"
#include "nlohmann/json.hpp"
#include "server/oip/parameters.h"
#include "server/oip/rest_paths.h"
#include "server/oip/tensors.h"
#include "server/proto_json.h"
#include "tokenizer/json_reader.h"

namespace bertha::server::oip {
namespace {

using models::JsonReader;
using nlohmann::json;

/// More than the tokens of the largest call; a value takes many times the memory of its text.
constexpr size_t kMaxValues = 2'000'000;
constexpr char kBinarySize[] = "binary_data_size";

absl::Status Bad(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

std::string Item(const std::string& path, size_t index) { return absl::StrCat(path, "[", index, "]"); }

absl::Status ReadParameters(const json* object, const std::string& path, Parameters& parameters) {
  if (!object) return absl::OkStatus();
  if (!object->is_object()) return Bad(path, "expected an object");
  for (const auto& [name, value] : object->items()) {
    inference::InferParameter& parameter = parameters[name];
    if (value.is_boolean()) {
      parameter.set_bool_param(value.get<bool>());
    } else if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
      parameter.set_uint64_param(value.get<uint64_t>());
    } else if (value.is_number_integer()) {
      parameter.set_int64_param(value.get<int64_t>());
    } else if (value.is_number_float()) {
      parameter.set_double_param(value.get<double>());
    } else if (value.is_string()) {
      parameter.set_string_param(value.get<std::string>());
    } else {
      return Bad(absl::StrCat(path, ".", tokenizer::Quoted(name)), "expected a string, a number, true or false");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadShape(const json& list, const std::string& path, InputTensor& tensor) {
  for (size_t i = 0; i < list.size(); ++i) {
    const json& dimension = list[i];
    const bool fits = dimension.is_number_integer() &&
                      !(dimension.is_number_unsigned() &&
                        dimension.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
    if (!fits) return Bad(Item(path, i), "expected an integer of 64 bits");
    tensor.add_shape(dimension.get<int64_t>());
  }
  return absl::OkStatus();
}

/// Turns the elements of one tensor's `data` into raw contents.
class Elements {
 public:
  Elements(const InputTensor& tensor, std::string& raw) : tensor_(tensor), raw_(raw) {}

  absl::Status Add(const json& data, const std::string& path) {
    const bool nested = !data.empty() && data[0].is_array();
    if (absl::Status status = nested ? AddNested(data, path, 0) : AddFlat(data, path); !status.ok()) return status;
    for (const int64_t dimension : tensor_.shape()) {
      // What is wrong with the shape itself is told later, to every transport.
      if (dimension < 0 || dimension > static_cast<int64_t>(kMaxValues)) return absl::OkStatus();
    }
    size_t expected = 1;
    for (const int64_t dimension : tensor_.shape()) {
      expected = std::min(kMaxValues + 1, expected * static_cast<size_t>(dimension));
    }
    if (count_ == expected) return absl::OkStatus();
    return Bad(path, absl::StrCat("has ", count_, " elements, the shape ", ShapeText(tensor_), " says otherwise"));
  }

 private:
  absl::Status AddFlat(const json& list, const std::string& path) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (absl::Status status = AddElement(list[i], path, i); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status AddNested(const json& list, const std::string& path, int level) {
    if (level >= tensor_.shape_size() || static_cast<int64_t>(list.size()) != tensor_.shape(level)) {
      return Bad(path, absl::StrCat("is not nested as the shape ", ShapeText(tensor_), " says"));
    }
    if (level + 1 == tensor_.shape_size()) return AddFlat(list, path);
    for (size_t i = 0; i < list.size(); ++i) {
      if (!list[i].is_array()) return Bad(Item(path, i), "expected a list, as its neighbours are");
      if (absl::Status status = AddNested(list[i], Item(path, i), level + 1); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status AddElement(const json& value, const std::string& path, size_t index) {
    ++count_;
    if (tensor_.datatype() == "BYTES") {
      if (!value.is_string()) return Bad(Item(path, index), "expected a string");
      AppendBytes(value.get_ref<const std::string&>(), raw_);
      return absl::OkStatus();
    }
    if (tensor_.datatype() == "INT32") return AddInteger<int32_t>(value, path, index);
    if (tensor_.datatype() == "INT64") return AddInteger<int64_t>(value, path, index);
    return Bad(path, absl::StrCat("there is no tensor of the data type ", tokenizer::Quoted(tensor_.datatype()),
                                  "; expected BYTES, INT64 or INT32"));
  }

  template <class Integer>
  absl::Status AddInteger(const json& value, const std::string& path, size_t index) {
    if (value.is_number_integer()) {
      const bool above = value.is_number_unsigned() &&
                         value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<Integer>::max());
      if (!above && value.get<int64_t>() >= std::numeric_limits<Integer>::min()) {
        const auto number = value.get<Integer>();
        AppendNumbers(&number, 1, raw_);
        return absl::OkStatus();
      }
    }
    return Bad(Item(path, index), absl::StrCat("expected an integer of ", 8 * sizeof(Integer), " bits"));
  }

  const InputTensor& tensor_;
  std::string& raw_;
  size_t count_ = 0;
};

/// Reads a document, and takes the tensors that are behind it from `binary`.
class Reader {
 public:
  Reader(absl::string_view binary, inference::ModelInferRequest& request) : binary_(binary), request_(request) {}

  absl::Status Read(const json& document) {
    JsonReader top(document);
    if (top.Optional("id")) request_.set_id(top.String("id"));
    if (absl::Status status =
            ReadParameters(top.Optional("parameters"), "$.parameters", *request_.mutable_parameters());
        !status.ok()) {
      return status;
    }
    const json* inputs = top.List("inputs");
    const json* outputs = top.Optional("outputs") ? top.List("outputs") : nullptr;
    if (absl::Status status = top.Done(); !status.ok()) return status;
    for (size_t i = 0; i < inputs->size(); ++i) {
      if (absl::Status status = ReadInput((*inputs)[i], Item("$.inputs", i)); !status.ok()) return status;
    }
    for (size_t i = 0; outputs && i < outputs->size(); ++i) {
      if (absl::Status status = ReadOutput((*outputs)[i], Item("$.outputs", i)); !status.ok()) return status;
    }
    if (binary_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("the body has ", binary_.size(), " bytes more than its JSON and its binary tensors"));
  }

 private:
  absl::Status ReadInput(const json& object, const std::string& path) {
    JsonReader reader(object, path);
    InputTensor& tensor = *request_.add_inputs();
    std::string& raw = *request_.add_raw_input_contents();
    tensor.set_name(reader.String("name"));
    tensor.set_datatype(reader.String("datatype"));
    const json* shape = reader.List("shape");
    const json* parameters = reader.Optional("parameters");
    const json* data = reader.Optional("data");
    if (data) reader.List("data");
    if (absl::Status status = reader.Done(); !status.ok()) return status;
    if (absl::Status status = ReadShape(*shape, path + ".shape", tensor); !status.ok()) return status;
    absl::Status status = ReadParameters(parameters, path + ".parameters", *tensor.mutable_parameters());
    if (!status.ok()) return status;
    if (tensor.parameters().contains(kBinarySize)) return TakeBinary(path, data != nullptr, tensor, raw);
    if (!data) return Bad(path, absl::StrCat("has neither \"data\" nor the parameter \"", kBinarySize, "\""));
    return Elements(tensor, raw).Add(*data, path + ".data");
  }

  absl::Status TakeBinary(const std::string& path, bool has_data, const InputTensor& tensor, std::string& raw) {
    if (has_data) return Bad(path, absl::StrCat("has \"data\" and the parameter \"", kBinarySize, "\"; send one"));
    const absl::StatusOr<uint64_t> size = CountParameter(tensor.parameters(), kBinarySize);
    if (!size.ok()) return Bad(path, size.status().message());
    if (*size > binary_.size()) {
      return Bad(path, absl::StrCat("parameter \"", kBinarySize, "\": is ", *size, ", ", binary_.size(),
                                    " bytes are left behind the JSON (", kJsonLengthHeader, ")"));
    }
    raw.assign(binary_.data(), *size);
    binary_.remove_prefix(*size);
    return absl::OkStatus();
  }

  absl::Status ReadOutput(const json& object, const std::string& path) {
    JsonReader reader(object, path);
    auto& output = *request_.add_outputs();
    output.set_name(reader.String("name"));
    const json* parameters = reader.Optional("parameters");
    if (absl::Status status = reader.Done(); !status.ok()) return status;
    return ReadParameters(parameters, path + ".parameters", *output.mutable_parameters());
  }

  absl::string_view binary_;
  inference::ModelInferRequest& request_;
};

/// The elements of a raw output, with commas between them.
void AppendElements(absl::string_view raw, bool bytes, std::string& out) {
  const char* separator = "";
  while (!raw.empty()) {
    out += std::exchange(separator, ",");
    if (bytes) {
      uint32_t length = 0;
      std::memcpy(&length, raw.data(), sizeof(length));
      AppendJsonString(std::string(raw.substr(sizeof(length), length)), out);
      raw.remove_prefix(sizeof(length) + length);
    } else {
      float number = 0;
      std::memcpy(&number, raw.data(), sizeof(number));
      AppendJsonNumber(number, out);
      raw.remove_prefix(sizeof(number));
    }
  }
}

bool IsBinary(const inference::ModelInferRequest& request, int output) {
  if (output < request.outputs_size() && request.outputs(output).parameters().contains("binary_data")) {
    return IsSet(request.outputs(output).parameters(), "binary_data");
  }
  return IsSet(request.parameters(), "binary_data_output");
}

}  // namespace

absl::Status ReadInferRequest(const std::string& body, std::optional<size_t> json_length,
                              inference::ModelInferRequest& request) {
  if (json_length && *json_length > body.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kJsonLengthHeader, ": is ", *json_length, ", the body has ", body.size(), " bytes"));
  }
  const absl::StatusOr<json> document = models::ParseJsonObject(
      json_length && *json_length < body.size() ? body.substr(0, *json_length) : body, kMaxValues);
  if (!document.ok()) return document.status();
  return Reader(absl::string_view(body).substr(json_length.value_or(body.size())), request).Read(*document);
}

InferBody WriteInferResponse(const inference::ModelInferRequest& request,
                             const inference::ModelInferResponse& response) {
  std::string out = "{\"model_name\":", binary;
  AppendJsonString(response.model_name(), out);
  out += ",\"model_version\":";
  AppendJsonString(response.model_version(), out);
  if (!response.id().empty()) {
    out += ",\"id\":";
    AppendJsonString(response.id(), out);
  }
  out += ",\"outputs\":[";
  for (int i = 0; i < response.outputs_size(); ++i) {
    const auto& output = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    absl::StrAppend(&out, i > 0 ? "," : "", "{\"name\":\"", output.name(), "\",\"datatype\":\"", output.datatype(),
                    "\",\"shape\":[", absl::StrJoin(output.shape(), ","), "],");
    if (IsBinary(request, i)) {
      absl::StrAppend(&out, "\"parameters\":{\"", kBinarySize, "\":", raw.size(), "}}");
      binary += raw;
    } else {
      out += "\"data\":[";
      AppendElements(raw, output.datatype() == "BYTES", out);
      out += "]}";
    }
  }
  out += "]}";
  InferBody body;
  if (!binary.empty()) body.json_length = out.size();
  body.bytes = std::move(out) + binary;
  return body;
}

std::string ErrorJson(const absl::Status& status) {
  std::string out = "{\"error\":";
  AppendJsonString(std::string(status.message()), out);
  return out + "}";
}

}  // namespace bertha::server::oip
