// Many malformed requests of the Open Inference Protocol: each must be refused with a clear status, or be answered in
// full, and the next good one must get its answer.
#include <google/protobuf/stubs/logging.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "server/oip/infer_json.h"
#include "server/wire_text.h"
#include "tests/server/infer_fixture.h"

namespace bertha::server::oip {
namespace {

using absl::StatusCode;
constexpr int kWanted = 10'000;  // malformed ones
constexpr int kAtMost = 40 * kWanted;

class Dice {
 public:
  explicit Dice(uint32_t seed) : engine_(seed) {}
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(engine_); }
  template <class T>
  const T& Of(const std::vector<T>& values) {
    return values[Below(values.size())];
  }

 private:
  std::mt19937 engine_;
};

std::vector<Request> ValidRequests() {
  std::vector<Request> requests = {TypedTexts({"abc", "d"}), RawTextRequest({"abc", "d", ""}),
                                   Tokens({{1, 2, 3}, {4, 5, 0}}, {{1, 1, 1}, {1, 1, 0}}, {{0, 0, 0}, {0, 0, 0}}),
                                   Wanting(TypedTexts({"x"}), {"logits", "label"}),
                                   Wanting(RawTextRequest({"y", "z"}), {"score"}, 2)};
  Request raw;
  AddTensor(raw, "input_ids", "INT32", {1, 2});
  AddTensor(raw, "attention_mask", "INT64", {1, 2});
  raw.add_raw_input_contents(RawNumbers<int32_t>({1, 2}));
  raw.add_raw_input_contents(RawNumbers<int64_t>({1, 1}));
  requests.push_back(raw);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].set_model_name(i % 2 == 0 ? "m" : "");
    requests[i].set_model_version(i % 3 == 0 ? "1" : "");
    requests[i].set_id("some id");
    (*requests[i].mutable_parameters())["priority"].set_uint64_param(i % 3);
  }
  return requests;
}

/// Flips, cuts, copies or inserts some bytes.
void MutateBytes(Dice& dice, std::string& bytes) {
  for (size_t n = 1 + dice.Below(3); n > 0 && !bytes.empty(); --n) {
    const size_t at = dice.Below(bytes.size()), length = dice.Below(std::min<size_t>(16, bytes.size() - at));
    switch (dice.Below(5)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << dice.Below(8)));
        break;
      case 1:
        bytes[at] = dice.Of<char>({'\0', '\x7f', '\x80', '\xff', '"', '[', '{', '9', '-'});
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(dice.Below(bytes.size()), length));
        break;
      default:
        bytes.resize(at);
    }
  }
}

/// One field gets another value.
void MutateFields(Dice& dice, Request& request) {
  InputTensor& tensor =
      *request.mutable_inputs(static_cast<int>(dice.Below(static_cast<size_t>(request.inputs_size()))));
  const int64_t number = dice.Of<int64_t>({0, -1, 1, 2, 3, 5, 1 << 20, int64_t{1} << 40, INT64_MAX, INT64_MIN});
  switch (dice.Below(12)) {
    case 0:
      return tensor.add_shape(number);
    case 1:
      return tensor.shape_size() > 0 ? tensor.set_shape(0, number) : tensor.add_shape(number);
    case 2:
      return tensor.clear_shape();
    case 3:
      return tensor.set_datatype(dice.Of<std::string>({"", "BYTES", "INT32", "INT64", "FP32", "STRING", "bytes"}));
    case 4:
      return tensor.set_name(dice.Of<std::string>({"", "text", "text_pair", "attention_mask", "token_type_ids", "x"}));
    case 5:
      return tensor.mutable_contents()->add_int64_contents(number);
    case 6:
      return tensor.mutable_contents()->add_bytes_contents("extra");
    case 7:
      return request.add_raw_input_contents(std::string(dice.Below(9), '\x01'));
    case 8:
      return request.mutable_raw_input_contents()->Clear();
    case 9:
      return request.add_outputs()->set_name(dice.Of<std::string>({"", "label", "logits", "embedding"}));
    case 10:
      return (*request.mutable_parameters())[dice.Of<std::string>({"priority", "timeout", "sequence_id"})]
          .set_int64_param(number);
    default:
      *request.add_inputs() = InputTensor(tensor);
  }
}

/// As many elements as its shape says.
void CheckWhole(const Response& response) {
  REQUIRE(response.outputs_size() > 0);
  REQUIRE(response.raw_output_contents_size() == response.outputs_size());
  for (int i = 0; i < response.outputs_size(); ++i) {
    size_t expected = 1;
    for (const int64_t dimension : Shape(response, i)) expected *= static_cast<size_t>(dimension);
    const bool bytes = response.outputs(i).datatype() == "BYTES";
    REQUIRE((bytes ? Texts(response, i).size() : Floats(response, i).size()) == expected);
  }
}

struct Tester {
  Tester() { fixture.AddModel("m"); }

  /// Whether the request was refused.
  bool Refused(const absl::Status& status, const Response& response) {
    ++codes[status.code()];
    if (status.ok()) {
      CheckWhole(response);
      return false;
    }
    // A timeout of some microseconds is refused by admission or passes.
    const bool clear = status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kNotFound ||
                       status.code() == StatusCode::kResourceExhausted ||
                       status.code() == StatusCode::kDeadlineExceeded;
    INFO(status.ToString());
    REQUIRE(clear);
    REQUIRE_FALSE(status.message().empty());
    REQUIRE(status.message().size() < 1000);
    return status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kNotFound;
  }
  bool Send(const Request& request) {
    Response response;
    const absl::Status status = fixture.Do(request, &response);
    return Refused(status, response);
  }
  void CheckStillAnswers() {
    Response response;
    REQUIRE(fixture.Do(TypedTexts({"a"}), &response).ok());
    CHECK(Texts(response, 0).size() == 1);
  }

  InferenceFixture fixture;
  std::map<StatusCode, int> codes;
};

TEST_CASE("TenThousandMalformedModelInferRequestsGetAClearRefusal") {
  const google::protobuf::LogSilencer silencer;  // it reports every string that is not UTF-8
  Tester tester;
  Dice dice(20261123);
  const std::vector<Request> valid = ValidRequests();
  for (const Request& request : valid) REQUIRE_FALSE(tester.Send(request));
  int refused = 0, sent = 0;
  for (; refused < kWanted && sent < kAtMost; ++sent) {
    Request request = dice.Of(valid);
    if (dice.Below(2) == 0) MutateFields(dice, request);
    std::string bytes = request.SerializeAsString();
    if (dice.Below(3) != 0) MutateBytes(dice, bytes);
    if (request.ParseFromString(bytes)) {
      refused += tester.Send(request);
    } else {
      refused += tester.Refused(ExplainUndecodable(*Request::descriptor(), bytes), {});
    }
  }
  CHECK(refused == kWanted);
  CHECK(tester.codes[StatusCode::kOk] > 100);  // else nothing was learnt about what just passes
  tester.CheckStillAnswers();
}

TEST_CASE("TenThousandMalformedBodiesGetAClearRefusal") {
  Tester tester;
  Dice dice(20261124);
  const std::vector<std::string> valid = {
      R"({"id":"7","inputs":[{"name":"text","datatype":"BYTES","shape":[2],"data":["a","b\u00e9\ud83d\ude00"]}]})",
      R"({"inputs":[{"name":"text","datatype":"BYTES","shape":[2,1],"data":[["a"],["b"]]}],"outputs":[{"name":"logits",
          "parameters":{"binary_data":true}}],"parameters":{"timeout":0,"other":1.5}})",
      R"({"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1,3],"data":[[1,2,3]]},
          {"name":"attention_mask","datatype":"INT32","shape":[1,3],"data":[1,1,0]}]})",
      std::string(
          R"({"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}]})") +
          RawTexts({"a"})};
  int refused = 0, sent = 0;
  for (; refused < kWanted && sent < kAtMost; ++sent) {
    const size_t which = dice.Below(valid.size());
    std::string body = valid[which];
    std::optional<size_t> json_length;
    if (which + 1 == valid.size()) json_length = body.size() - 5;
    if (sent >= 10) MutateBytes(dice, body);
    if (dice.Below(10) == 0 && sent >= 10) json_length = dice.Below(body.size() + 2);
    Request request;
    Response response;
    absl::Status status = ReadInferRequest(body, json_length, request);
    if (status.ok()) status = tester.fixture.Do(request, &response);
    const bool bad = tester.Refused(status, response);
    if (status.ok()) REQUIRE_FALSE(WriteInferResponse(request, response).bytes.empty());
    if (sent < 10) REQUIRE_FALSE(bad);
    refused += bad;
  }
  CHECK(refused == kWanted);
  CHECK(tester.codes[StatusCode::kOk] > 100);
  tester.CheckStillAnswers();
}

}  // namespace
}  // namespace bertha::server::oip
