// Any bytes as the body of an infer request over HTTP: JSON, or JSON with binary tensors behind it.
//
// What the bytes of an input mean:
//
//   byte 0  'b': the header Inference-Header-Content-Length says where the first NUL of the rest is, which is taken out
//           'j': there is no such header
//           else the header's value
//   rest    the body
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "nlohmann/json.hpp"
#include "server/oip/infer_json.h"
#include "server/oip/tensors.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/infer_properties.h"
#include "tokenizer/utf8.h"

namespace bertha::server::oip::fuzz {
namespace {

struct Body {
  std::string bytes;
  std::optional<size_t> json_length;
};

Body BodyOf(absl::string_view data) {
  Body body{std::string(data.substr(1)), {}};
  if (data[0] == 'j') return body;
  body.json_length = static_cast<unsigned char>(data[0]);
  if (data[0] != 'b') return body;
  const size_t end = body.bytes.find('\0');
  body.json_length = end == std::string::npos ? body.bytes.size() : end;
  if (end != std::string::npos) body.bytes.erase(end, 1);
  return body;
}

/// The texts of each BYTES tensor of UTF-8 come back in a response, as JSON or behind it, as the request wants it.
void CheckEcho(const inference::ModelInferRequest& request) {
  const auto inputs = InputsOf(request);
  if (!inputs.ok()) return;
  inference::ModelInferResponse response;
  response.set_id(request.id());
  std::vector<std::vector<std::string>> expected;
  for (const InputView& input : *inputs) {
    const auto texts = ReadTexts(input);
    const auto is_utf8 = [](absl::string_view text) {
      return tokenizer::FindInvalidUtf8(text) == absl::string_view::npos;
    };
    if (!texts.ok() || !std::ranges::all_of(*texts, is_utf8)) continue;
    auto& output = *response.add_outputs();
    output.set_name("label");
    output.set_datatype("BYTES");
    output.add_shape(static_cast<int64_t>(texts->size()));
    response.add_raw_output_contents(input.raw->data(), input.raw->size());
    expected.emplace_back(texts->begin(), texts->end());
  }
  const InferBody body = WriteInferResponse(request, response);
  const auto json =
      nlohmann::json::parse(body.bytes.substr(0, body.json_length.value_or(body.bytes.size())), nullptr, false);
  FUZZ_CHECK_THAT(!json.is_discarded(), body.bytes);
  FUZZ_CHECK_THAT(json.value("id", "") == request.id(), body.bytes);
  std::string binary;
  for (size_t i = 0; i < expected.size(); ++i) {
    const nlohmann::json& output = json["outputs"][i];
    if (output.contains("data")) {
      FUZZ_CHECK_THAT(output["data"] == expected[i], body.bytes);
    } else {
      binary += response.raw_output_contents(static_cast<int>(i));
    }
  }
  FUZZ_CHECK_THAT(body.bytes.substr(body.json_length.value_or(body.bytes.size())) == binary, body.bytes);
}

void Check(absl::string_view data) {
  if (data.empty()) return;
  const Body body = BodyOf(data);
  inference::ModelInferRequest request;
  if (const absl::Status status = ReadInferRequest(body.bytes, body.json_length, request); !status.ok()) {
    return CheckRefusal(status);
  }
  FUZZ_CHECK(request.raw_input_contents_size() == request.inputs_size());
  CheckTensors(request);
  CheckEcho(request);
}

}  // namespace
}  // namespace bertha::server::oip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bertha::server::oip::fuzz::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
