#include "server/oip/infer_call.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/server/infer_fixture.h"

namespace bertha::server::oip {
namespace {

using absl::StatusCode;
constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;

Request With(Request request, const std::function<void(Request&)>& change) {
  change(request);
  return request;
}

Request WithParameter(Request request, const std::string& name, int64_t value) {
  (*request.mutable_parameters())[name].set_int64_param(value);
  return request;
}

TEST_CASE("TextsGetTheBestLabelAndItsScoreAsRawContents") {
  InferenceFixture f;
  f.AddModel("m", 7, models::ProblemType::kMultiLabel);
  for (Request request : {TypedTexts({"ab", "c"}), RawTextRequest({"ab", "c"})}) {
    request.set_id("question 1");
    Response response;
    REQUIRE(f.Do(request, &response).ok());
    CHECK(response.model_name() == "m");
    CHECK(response.model_version() == "7");
    CHECK(response.id() == "question 1");
    REQUIRE(response.outputs_size() == 2);
    REQUIRE(response.raw_output_contents_size() == 2);
    CHECK(response.outputs(0).name() == "label");
    CHECK(response.outputs(0).datatype() == "BYTES");
    CHECK(Shape(response, 0) == std::vector<int64_t>{2});
    CHECK(Texts(response, 0) == std::vector<std::string>{"sum", "sum"});
    CHECK(response.outputs(1).name() == "score");
    CHECK(response.outputs(1).datatype() == "FP32");
    CHECK(Shape(response, 1) == std::vector<int64_t>{2});
    CHECK(Floats(response, 1) == std::vector<float>{1, 1});
  }
}

TEST_CASE("TheRequestChoosesItsOutputsAndTheirOrder") {
  InferenceFixture f;
  f.AddModel("m");
  Response response;
  REQUIRE(f.Do(Wanting(TypedTexts({"ab", "c"}), {"logits", "label"}), &response).ok());
  REQUIRE(response.outputs_size() == 2);
  CHECK(Shape(response, 0) == std::vector<int64_t>{2, 2});
  CHECK(Floats(response, 0) == std::vector<float>{1 + 'a' + 'b', 3, 1 + 'c', 2});
  CHECK(response.outputs(1).name() == "label");
}

TEST_CASE("ClassificationGivesTheBestLabelsAsText") {
  InferenceFixture f;
  f.AddModel("m", 1, models::ProblemType::kMultiLabel);
  Response response;
  REQUIRE(f.Do(Wanting(TypedTexts({"a", ""}), {"logits"}, 2), &response).ok());
  CHECK(response.outputs(0).datatype() == "BYTES");
  CHECK(Shape(response, 0) == std::vector<int64_t>{2, 2});
  CHECK(Texts(response, 0) ==
        std::vector<std::string>{"98.000000:0:sum", "2.000000:1:count", "1.000000:0:sum", "1.000000:1:count"});
  REQUIRE(f.Do(Wanting(TypedTexts({"a"}), {"score"}, 99), &response).ok());
  CHECK(Texts(response, 0) == std::vector<std::string>{"1.000000:0:sum", "0.880797:1:count"});
}

TEST_CASE("APairIsComputedWithItsText") {
  InferenceFixture f;
  f.AddModel("m");
  Request request = TypedTexts({"a", "b"});
  *request.add_inputs() = TypedTexts({"c", "d"}, "text_pair").inputs(0);
  Response response;
  REQUIRE(f.Do(Wanting(request, {"logits"}), &response).ok());
  CHECK(Floats(response, 0) == std::vector<float>{1 + 'a' + 'c', 3, 1 + 'b' + 'd', 3});
}

TEST_CASE("TokensAreComputedAsTheyAreWithoutTheirPadding") {
  InferenceFixture f;
  f.AddModel("m");
  const std::vector<float> expected = {3, 2, 12, 3};
  Response response;
  const auto check = [&](Request request) {
    const absl::Status status = f.Do(Wanting(std::move(request), {"logits"}), &response);
    INFO(status.ToString());
    REQUIRE(status.ok());
    CHECK(Floats(response, 0) == expected);
  };
  check(Tokens({{1, 2, 0}, {3, 4, 5}}, {{1, 1, 0}, {1, 1, 1}}));
  check(Tokens({{0, 1, 2}, {3, 4, 5}}, {{0, 1, 1}, {1, 1, 1}}, {{9, 0, 0}, {0, 0, 0}}));  // padded on the left
  check(Tokens({{1, 2, -100}, {3, 4, 5}}, {{1, 1, 0}, {1, 1, 1}}));                       // what pads may be anything
  Request raw;
  AddTensor(raw, "attention_mask", "INT32", {2, 3});
  AddTensor(raw, "input_ids", "INT64", {2, 3});
  raw.add_raw_input_contents(RawNumbers<int32_t>({1, 1, 0, 1, 1, 1}));
  raw.add_raw_input_contents(RawNumbers<int64_t>({1, 2, 0, 3, 4, 5}));
  check(raw);
}

TEST_CASE("EmbeddingsAreAsEmbedGivesThem") {
  InferenceFixture f;
  f.AddWordModel("words", models::Task::kEmbeddings);
  Response response;
  REQUIRE(f.Do(TypedTexts({"a b", "c"}), &response).ok());
  v1::EmbedRequest embed;
  embed.add_inputs()->set_text("a b");
  embed.add_inputs()->set_text("c");
  v1::EmbedResponse expected;
  REQUIRE(f.Do(embed, &expected).ok());
  REQUIRE(response.outputs_size() == 1);
  CHECK(response.outputs(0).name() == "embedding");
  CHECK(Shape(response, 0) == std::vector<int64_t>{2, 2});
  std::vector<float> vectors;
  for (const auto& result : expected.results()) {
    vectors.insert(vectors.end(), result.vector().begin(), result.vector().end());
  }
  CHECK(Floats(response, 0) == vectors);
}

TEST_CASE("AModelWhoseAnswersAreNoTensorsNamesTheMethodThatGivesThem") {
  InferenceFixture f;
  f.AddWordModel("tags", models::Task::kTokenClassification);
  Response response;
  CHECK(Is(f.Do(TypedTexts({"a"}), &response), StatusCode::kFailedPrecondition, "call TagTokens of bertha.v1.Bertha"));
}

TEST_CASE("AVersionIsANumberOrALabelOrTheNewest") {
  InferenceFixture f;
  f.AddModel("m", 3);
  f.AddModel("m", 12);
  f.table.SetLabels("m", {{"stable", 3}});
  const auto version = [&](const std::string& wanted) {
    Request request = TypedTexts({"a"});
    request.set_model_name("m");
    request.set_model_version(wanted);
    Response response;
    const absl::Status status = f.Do(request, &response);
    return status.ok() ? response.model_version() : std::string(absl::StatusCodeToString(status.code()));
  };
  CHECK(version("") == "12");
  CHECK(version("3") == "3");
  CHECK(version("stable") == "3");
  CHECK(version("4") == "NOT_FOUND");
  CHECK(version("-1") == "NOT_FOUND");
  CHECK(version("canary") == "NOT_FOUND");
  CHECK(version("0") == "INVALID_ARGUMENT");
  CHECK(version("99999999999999999999") == "INVALID_ARGUMENT");
}

TEST_CASE("BadTensorsAreRefusedByNameAndPlace") {
  InferenceFixture f({}, {.max_inputs = 3, .max_text_bytes = 20});
  f.AddModel("m", 1, models::ProblemType::kSingleLabel, /*pairs=*/false);
  const Request text = TypedTexts({"a", "b"}), raw = RawTextRequest({"a", "b"});
  const auto shape = [](Request request, const std::vector<int64_t>& shape) {
    request.mutable_inputs(0)->mutable_shape()->Assign(shape.begin(), shape.end());
    return request;
  };
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  struct Case {
    Request request;
    std::string message;
    StatusCode code = kInvalid;
  };
  const std::vector<Case> cases = {
      {Request(), "input \"text\": is missing"},
      {TypedTexts({"a"}, "TEXT"), "input \"TEXT\": the model has no such input"},
      {With(text, [&](auto& r) { *r.add_inputs() = text.inputs(0); }), "input \"text\": is there twice"},
      {With(text, [](auto& r) { r.mutable_inputs(0)->set_datatype("FP32"); }), "has the data type \"FP32\", expected"},
      {shape(text, {}), "has the shape [], expected [n] or [n,1]"},
      {shape(text, {1, 2}), "has the shape [1,2], expected [n] or [n,1]"},
      {shape(text, {2, 1, 1}), "has the shape [2,1,1]"},
      {shape(text, {0}), "has the shape [0]; each dimension must be at least 1"},
      {shape(text, {-1}), "has the shape [-1]; each"},
      {shape(text, {3}), "has 2 elements in contents.bytes_contents, its shape [3] needs 3"},
      {shape(text, {kHuge}), "which is too large"},
      {shape(raw, {kHuge, kHuge}), "which is too large"},
      {shape(raw, {1 << 28}), "has 10 bytes of raw contents, too few for the shape [268435456]"},
      {shape(raw, {1}), "has more elements in its raw contents than its shape [1] says"},
      {TypedTexts({"a", "b", "c", "d"}), "has 4 rows, at most 3 are allowed"},
      {TypedTexts({"a", std::string(21, 'x')}), "text[1]: has 21 bytes, at most 20"},
      {TypedTexts({"a", "!"}), "text[1]: invalid UTF-8"},
      {With(raw, [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_bytes_contents("a"); }),
       "has elements in `contents` and in raw_input_contents"},
      {With(raw, [](auto& r) { r.add_raw_input_contents("a"); }),
       "raw_input_contents: has 2 elements, there are 1 inp"},
      {With(text, [](auto& r) { r.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1); }),
       "has elements in a field of `contents` that is not that of \"BYTES\""},
      {With(raw, [](auto& r) { r.mutable_raw_input_contents(0)->pop_back(); }),
       "element 1 of the raw contents is 1 bytes long, 0 are left"},
      {With(raw, [](auto& r) { r.mutable_raw_input_contents(0)->append("ab"); }),
       "in the middle of a length, at byte 10"},
      {With(raw, [](auto& r) { r.mutable_raw_input_contents(0)->replace(0, 4, "\xff\xff\xff\xff"); }),
       "element 0 of the raw contents is 4294967295 bytes long, 6 are left"},
      {With(text, [](auto& r) { *r.add_inputs() = TypedTexts({"c"}, "text_pair").inputs(0); }),
       "input \"text_pair\": has 1 elements, text has 2"},
      {With(text,
            [](auto& r) {
              *r.add_inputs() = TypedTexts({"c", "d"}, "text_pair").inputs(0);
            }),
       "input \"text_pair\": the model \"m\" takes no text pairs", StatusCode::kFailedPrecondition},
      {With(text, [](auto& r) { r.MergeFrom(Tokens({{1}}, {{1}})); }), "inputs: has texts and tokens"},
      {With(text, [](auto& r) { (*r.mutable_inputs(0)->mutable_parameters())["shared_memory_region"]; }),
       "shared memory is not supported"},
      {Wanting(text, {"embedding"}), "output \"embedding\": the model has no such output; it has label, score, logits"},
      {Wanting(text, {"label", "label"}), "output \"label\": is there twice"},
      {Wanting(text, {"label"}, 1), "goes with \"score\" and \"logits\" only"},
      {Wanting(text, {"logits"}, -1), "\"classification\": expected a number of at least 1"},
      {WithParameter(text, "priority", 4), "parameter \"priority\": is 4, expected 1 (first) to 3 (last)"},
      {WithParameter(text, "priority", -1), "parameter \"priority\": expected an integer"},
      {WithParameter(text, "timeout", -1), "parameter \"timeout\": expected an integer"},
      {WithParameter(text, "sequence_id", 5), "sequences are not supported"},
      {With(text, [](auto& r) { r.set_model_name("nope"); }), "no model \"nope\"; loaded: m:1", StatusCode::kNotFound},
  };
  for (const Case& c : cases) {
    Response response;
    CHECK(Is(f.Do(c.request, &response), c.code, c.message));
    CHECK(response.outputs_size() == 0);
  }
  Response response;
  CHECK(f.Do(WithParameter(text, "triton_enable_empty_final_response", 1), &response).ok());
}

TEST_CASE("BadTokensAreRefusedByRowAndColumn") {
  InferenceFixture f;
  f.AddModel("m");
  const std::vector<int64_t> long_row(12, 1);
  struct Case {
    Request request;
    std::string message;
  };
  const std::vector<Case> cases = {
      {Tokens({{1, 2}, {3, 256}}, {{1, 1}, {1, 1}}), "input_ids[1]: 256 in column 1 is not in the vocabulary"},
      {Tokens({{1, -1}}, {{1, 1}}), "input_ids[0]: -1 in column 1"},
      {Tokens({{1, 1LL << 40}}, {{1, 1}}), "input_ids[0]: 1099511627776 in column 1"},
      {Tokens({{1, 2}}, {{1, 2}}), "attention_mask[0]: is 2 in column 1, expected 0 or 1"},
      {Tokens({{1, 2, 3}}, {{1, 0, 1}}), "attention_mask[0]: has a 0 between two 1"},
      {Tokens({{1, 2}, {1, 2}}, {{1, 1}, {0, 0}}), "attention_mask[1]: leaves no token"},
      {Tokens({long_row}, {long_row}), "input_ids[0]: has 12 tokens, the model takes 10"},
      {Tokens({{1, 2}}, {{1, 1}}, {{0, 1}}), "token_type_ids[0]: 1 in column 1 is not below 1"},
      {Tokens({{1, 2}}, {{1, 1, 1}}), "\"attention_mask\": has the shape [1,3], input_ids has [1,2]"},
      {With(Tokens({{1}}, {{1}}), [](auto& r) { r.mutable_inputs()->RemoveLast(); }), "\"attention_mask\": is missing"},
      {With(Tokens({{1}}, {{1}}), [](auto& r) { r.mutable_inputs()->DeleteSubrange(0, 1); }),
       "\"input_ids\": is missing"},
      {With(Tokens({{1}}, {{1}}), [](auto& r) { r.mutable_inputs(0)->set_datatype("INT8"); }),
       "expected INT64 or INT32"},
      {With(Tokens({{1}}, {{1}}), [](auto& r) { r.mutable_inputs(0)->set_datatype("INT32"); }),
       "has elements in a field of `contents` that is not that of \"INT32\", which is int_contents"},
      {With(Tokens({{1}}, {{1}}), [](auto& r) { r.mutable_inputs(0)->add_shape(1); }), "expected [n,length]"},
      {With(Tokens({{1}}, {{1}}),
            [](auto& r) {
              for (auto& input : *r.mutable_inputs()) input.clear_contents();
              r.add_raw_input_contents(std::string(8, '\0'));
              r.add_raw_input_contents(std::string(7, '\1'));
            }),
       "has 7 bytes of raw contents, its shape [1,1] and INT64 need 8"},
  };
  for (const Case& c : cases) {
    Response response;
    CHECK(Is(f.Do(c.request, &response), kInvalid, c.message));
  }
  Response response;
  const std::vector<int64_t> padded = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
  CHECK(f.Do(Tokens({long_row}, {padded}), &response).ok());
}

TEST_CASE("NulInATextIsAByteLikeAnyOther") {
  InferenceFixture f;
  f.AddModel("m");
  Response response;
  REQUIRE(f.Do(Wanting(TypedTexts({std::string("a\0b", 3)}), {"logits"}), &response).ok());
  CHECK(Floats(response, 0) == std::vector<float>{1 + 'a' + 'b', 4});
}

TEST_CASE("ATimeoutInMicrosecondsIsADeadline") {
  InferenceFixture f;
  batcher::Gate gate;
  batcher::FakeEncoder* encoder = f.AddModel("m");
  encoder->on_run = [&](const std::vector<int32_t>&) {
    gate.Pass();
    return absl::OkStatus();
  };
  auto running = f.Start<Response>(TypedTexts({"a"}));
  gate.AwaitArrivals(1);
  auto waiting = f.Start<Response>(WithParameter(TypedTexts({"b"}), "timeout", 5000));
  auto patient = f.Start<Response>(WithParameter(TypedTexts({"c"}), "timeout", 60'000'000));
  f.clock.Advance(std::chrono::milliseconds(6));
  gate.Open();
  CHECK(running->Await().ok());
  CHECK(Is(waiting->Await(), StatusCode::kDeadlineExceeded, ""));
  CHECK(patient->Await().ok());
}

TEST_CASE("PriorityOneGoesFirst") {
  InferenceFixture f;
  batcher::Gate gate;
  batcher::FakeEncoder* encoder = f.AddModel("m");
  std::vector<int32_t> order;
  encoder->on_run = [&](const std::vector<int32_t>& ids) {
    gate.Pass();
    order.insert(order.end(), ids.begin(), ids.end());
    return absl::OkStatus();
  };
  auto running = f.Start<Response>(Tokens({{1}}, {{1}}));
  gate.AwaitArrivals(1);
  auto last = f.Start<Response>(WithParameter(Tokens({{3}}, {{1}}), "priority", 3));
  auto first = f.Start<Response>(WithParameter(Tokens({{2}}, {{1}}), "priority", 1));
  gate.Open();
  CHECK(running->Await().ok());
  CHECK(first->Await().ok());
  CHECK(last->Await().ok());
  f.dispatcher.Stop();
  CHECK(order == std::vector<int32_t>{1, 2, 3});
}

TEST_CASE("AnEngineFaultNamesTheInput") {
  InferenceFixture f;
  f.AddModel("m")->on_run = [&](const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
      if (id == 'x') return absl::InternalError("broken");
    }
    return absl::OkStatus();
  };
  Response response;
  CHECK(Is(f.Do(TypedTexts({"a", "x"}), &response), StatusCode::kInternal, "text[1]: "));
}

}  // namespace
}  // namespace bertha::server::oip
