#include "server/oip/infer_json.h"

#include <string>
#include <vector>

#include "tests/server/infer_fixture.h"

namespace bertha::server::oip {
namespace {

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

std::string Body(const std::string& inputs, const std::string& rest = "") {
  return "{\"inputs\":[" + inputs + "]" + rest + "}";
}

std::string Text(const std::string& shape, const std::string& data) {
  return R"({"name":"text","datatype":"BYTES","shape":)" + shape + R"(,"data":)" + data + "}";
}

std::string Ids(const std::string& datatype, const std::string& shape, const std::string& data) {
  return R"({"name":"input_ids","datatype":")" + datatype + R"(","shape":)" + shape + R"(,"data":)" + data + "}";
}

TEST_CASE("DataFlatOrNestedBecomesRawContents") {
  for (const char* data : {R"(["a","b\u0000"])", R"([["a"],["b\u0000"]])"}) {
    Request request;
    const absl::Status status =
        ReadInferRequest(Body(Text("[2,1]", data), R"(,"id":"7","parameters":{"priority":3})"), {}, request);
    INFO(status.ToString());
    REQUIRE(status.ok());
    CHECK(request.id() == "7");
    CHECK(request.parameters().at("priority").int64_param() == 3);
    CHECK(request.inputs(0).shape(1) == 1);
    CHECK(request.raw_input_contents(0) == RawTexts({"a", std::string("b\0", 2)}));
  }
  Request request;
  REQUIRE(ReadInferRequest(Body(Ids("INT32", "[2,2]", "[[1,-2],[3,4]]")), {}, request).ok());
  CHECK(request.raw_input_contents(0) == RawNumbers<int32_t>({1, -2, 3, 4}));
  request.Clear();
  REQUIRE(
      ReadInferRequest(Body(Ids("INT64", "[1,2]", "[9223372036854775807,-9223372036854775808]")), {}, request).ok());
  CHECK(request.raw_input_contents(0) == RawNumbers<int64_t>({INT64_MAX, INT64_MIN}));
}

TEST_CASE("BinaryTensorsFollowTheJson") {
  const std::string json = Body(R"({"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":6}},)"
                                R"({"name":"text_pair","datatype":"BYTES","shape":[1],"data":["x"]})");
  Request request;
  REQUIRE(ReadInferRequest(json + RawTexts({"ab"}), json.size(), request).ok());
  CHECK(request.raw_input_contents(0) == RawTexts({"ab"}));
  CHECK(request.raw_input_contents(1) == RawTexts({"x"}));
  const auto refused = [&](const std::string& body, std::optional<size_t> length) {
    Request ignored;
    return ReadInferRequest(body, length, ignored);
  };
  CHECK(Is(refused(json + RawTexts({"a"}), json.size()), kInvalid, "binary_data_size\": is 6, 5 bytes are left"));
  CHECK(Is(refused(json + RawTexts({"abc"}), json.size()), kInvalid, "has 1 bytes more than"));
  CHECK(Is(refused(json, {}), kInvalid, "binary_data_size\": is 6, 0 bytes are left"));
  CHECK(Is(refused(json, json.size() + 1), kInvalid, "Inference-Header-Content-Length: is"));
  CHECK(Is(refused(json + RawTexts({"ab"}), 10), kInvalid, "not valid JSON"));
}

TEST_CASE("WhatIsNoRequestIsRefusedWithItsPlace") {
  struct Case {
    std::string body;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"", "not valid JSON, at byte"},
      {"[]", "$: expected an object"},
      {"{}", "$.inputs: missing"},
      {R"({"inputs":[],"inputs":[]})", "is there twice"},
      {R"({"inputs":{}})", "$.inputs: expected a list"},
      {Body(Text("[1]", R"(["a"])"), R"(,"colour":1)"), "colour"},
      {Body("{}"), "$.inputs[0].name: missing"},
      {Body("1"), "$.inputs[0]: expected an object"},
      {Body(Text("[1]", "\"a\"")), "$.inputs[0].data: expected a list"},
      {Body(Text("[1]", "[1]")), "$.inputs[0].data[0]: expected a string"},
      {Body(Text("[1]", "[null]")), "$.inputs[0].data[0]: expected a string"},
      {Body(Text("[2]", R"(["a"])")), "$.inputs[0].data: has 1 elements, the shape [2]"},
      {Body(Text("[2]", R"([["a"],["b"]])")), "$.inputs[0].data[0]: expected a string"},
      {Body(Text("[3,1]", R"([["a"],["b"]])")), "$.inputs[0].data: is not nested as the shape [3,1] says"},
      {Body(Text("[2,1]", R"([["a"],["b","c"]])")), "$.inputs[0].data[1]: is not nested as"},
      {Body(Text("[2,1]", R"([["a"],"b"])")), "$.inputs[0].data[1]: expected a list"},
      {Body(Text("[1.5]", R"(["a"])")), "$.inputs[0].shape[0]: expected an integer"},
      {Body(Text("[9223372036854775808]", R"(["a"])")), "$.inputs[0].shape[0]: expected an integer of 64 bits"},
      {Body(Text("[1]", R"(["\ud800"])")), "not valid JSON"},
      {Body(Text("[1]", R"(["\udc00\ud800"])")), "not valid JSON"},
      {Body(Text("[1]", "[\"\xff\"]")), "not valid JSON"},
      {Body(Text("[1]", std::string("[\"a\0\"]", 6))), "not valid JSON"},
      {Body(Text("[1]", std::string(100'000, '[') + std::string(100'000, ']'))), "nested deeper than"},
      {std::string(1'000'000, '['), "not valid JSON"},
      {Body(Ids("INT32", "[1,1]", "[2147483648]")), "data[0]: expected an integer of 32 bits"},
      {Body(Ids("INT64", "[1,1]", "[9223372036854775808]")), "data[0]: expected an integer of 64 bits"},
      {Body(Ids("INT64", "[1,1]", "[1e400]")), "not valid JSON"},
      {Body(Ids("INT64", "[1,1]", "[1.0]")), "data[0]: expected an integer of 64 bits"},
      {Body(Ids("INT64", "[1,1]", "[true]")), "data[0]: expected an integer of 64 bits"},
      {Body(Ids("FP32", "[1,1]", "[1.0]")), "there is no tensor of the data type \"FP32\""},
      {Body(R"({"name":"text","datatype":"BYTES","shape":[1]})"), "has neither \"data\" nor"},
      {Body(R"({"name":"text","datatype":"BYTES","shape":[1],"data":["a"],"parameters":{"binary_data_size":1}})"),
       "has \"data\" and the parameter"},
      {Body(Text("[1]", R"(["a"])"), R"(,"parameters":{"x":[1]})"), "$.parameters.\"x\": expected a string, a number"},
      {Body(Text("[1]", R"(["a"])"), R"(,"id":7)"), "$.id: expected a string"},
      {Body(Text("[1]", R"(["a"])"), R"(,"outputs":[{"name":"label","form":1}])"), "form"},
  };
  for (const Case& c : cases) {
    Request request;
    INFO(c.body.substr(0, 200));
    CHECK(Is(ReadInferRequest(c.body, {}, request), kInvalid, c.message));
  }
}

TEST_CASE("ResponsesAreJsonOrBinaryAsTheRequestSays") {
  InferenceFixture f;
  f.AddModel("m", 3, models::ProblemType::kMultiLabel);
  Request request = Wanting(TypedTexts({"a", ""}), {"label", "logits"});
  request.set_id("x\"y");
  Response response;
  REQUIRE(f.Do(request, &response).ok());
  const std::string head = R"({"model_name":"m","model_version":"3","id":"x\"y","outputs":[)";
  InferBody body = WriteInferResponse(request, response);
  CHECK_FALSE(body.json_length.has_value());
  CHECK(body.bytes == head + R"({"name":"label","datatype":"BYTES","shape":[2],"data":["sum","sum"]},)" +
                          R"({"name":"logits","datatype":"FP32","shape":[2,2],"data":[98,2,1,1]}]})");
  (*request.mutable_outputs(1)->mutable_parameters())["binary_data"].set_bool_param(true);
  body = WriteInferResponse(request, response);
  const std::string json =
      head + R"({"name":"label","datatype":"BYTES","shape":[2],"data":["sum","sum"]},)" +
      R"({"name":"logits","datatype":"FP32","shape":[2,2],"parameters":{"binary_data_size":16}}]})";
  REQUIRE(body.json_length == json.size());
  CHECK(body.bytes == json + RawNumbers<float>({98, 2, 1, 1}));
  // The request's own wish is that of outputs which say nothing.
  (*request.mutable_parameters())["binary_data_output"].set_bool_param(true);
  (*request.mutable_outputs(1)->mutable_parameters())["binary_data"].set_bool_param(false);
  body = WriteInferResponse(request, response);
  CHECK(body.bytes.find(R"("parameters":{"binary_data_size":14}})") != std::string::npos);
  CHECK(body.bytes.find(R"("data":[98,2,1,1])") != std::string::npos);
}

TEST_CASE("AnErrorIsAnObjectWithItsWords") {
  CHECK(ErrorJson(absl::InvalidArgumentError("no \"x\"")) == R"({"error":"no \"x\""})");
}

}  // namespace
}  // namespace bertha::server::oip
