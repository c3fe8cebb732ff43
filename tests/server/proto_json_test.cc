#include "server/proto_json.h"

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "bertha/v1/bertha.pb.h"
#include "bertha/v1/model_control.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/catch.h"

namespace bertha::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

absl::Status Read(const std::string& text, Message&& message = v1::ClassifyRequest()) {
  return FromJson(text, message);
}

/// Every message of the file that is sent or received, filled at random.
void Randomize(std::mt19937& random, int depth, Message& message) {
  const auto* reflection = message.GetReflection();
  const auto number = [&] { return static_cast<int64_t>(random()) * (random() % 2 ? 1 : 2147483629); };
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->real_containing_oneof() && reflection->HasOneof(message, field->real_containing_oneof())) continue;
    for (size_t n = field->is_repeated() ? random() % 4 : random() % 2; n > 0; --n) {
      const bool add = field->is_repeated();
      const std::string text = random() % 2 ? "é\n\"\\\t\x01\x7f😀" : "";
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE:
          Randomize(random, depth + 1,
                    add ? *reflection->AddMessage(&message, field) : *reflection->MutableMessage(&message, field));
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          add ? reflection->AddString(&message, field, text) : reflection->SetString(&message, field, text);
          break;
        case FieldDescriptor::CPPTYPE_BOOL:
          reflection->SetBool(&message, field, random() % 2);
          break;
        case FieldDescriptor::CPPTYPE_ENUM:
          reflection->SetEnumValue(&message, field, static_cast<int>(random() % 3));
          break;
        case FieldDescriptor::CPPTYPE_INT32:
          reflection->SetInt32(&message, field, static_cast<int32_t>(number()));
          break;
        case FieldDescriptor::CPPTYPE_UINT32:
          reflection->SetUInt32(&message, field, static_cast<uint32_t>(number()));
          break;
        case FieldDescriptor::CPPTYPE_INT64:
          reflection->SetInt64(&message, field, -number());
          break;
        case FieldDescriptor::CPPTYPE_UINT64:
          reflection->SetUInt64(&message, field, static_cast<uint64_t>(number()));
          break;
        case FieldDescriptor::CPPTYPE_FLOAT: {
          const float value = static_cast<float>(number()) / 3e7f;
          add ? reflection->AddFloat(&message, field, value) : reflection->SetFloat(&message, field, value);
          break;
        }
        default:
          FAIL("no message has such a field");
      }
    }
  }
}

TEST_CASE("WhatIsWrittenIsReadBackTheSameByUsAndByProtobuf") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    for (const Message* prototype : std::vector<const Message*>{
             &v1::ClassifyRequest::default_instance(), &v1::ClassifyResponse::default_instance(),
             &v1::CompareResponse::default_instance(), &v1::ListModelsResponse::default_instance(),
             &v1::EmbedRequest::default_instance(), &v1::EmbedResponse::default_instance(),
             &v1::RecordFeedbackRequest::default_instance(), &v1::ListPackagesResponse::default_instance()}) {
      const std::unique_ptr<Message> message(prototype->New()), ours(prototype->New()), theirs(prototype->New());
      Randomize(random, 0, *message);
      const std::string json = ToJson(*message);
      INFO(json);
      REQUIRE(FromJson(json, *ours).ok());
      CHECK(MessageDifferencer::Equals(*message, *ours));
      REQUIRE(google::protobuf::util::JsonStringToMessage(json, theirs.get()).ok());
      CHECK(MessageDifferencer::Equals(*message, *theirs));
    }
  }
}

TEST_CASE("DefaultsAreWrittenAndWhatIsNotSetIsNot") {
  v1::ClassifyRequest request;
  request.add_inputs();
  CHECK(ToJson(request) == R"({"model":"","version":"0","inputs":[{"text":""}],"version_label":"","priority":)"
                           R"("PRIORITY_UNSPECIFIED"})");
  request.mutable_inputs(0)->set_text_pair("");
  CHECK(ToJson(request).find(R"("text_pair":"")") != std::string::npos);
  CHECK(ToJson(v1::ListModelsRequest()) == "{}");
}

TEST_CASE("FloatsHaveAsFewDigitsAsSayTheSame") {
  v1::LabelScore score;
  score.set_score(0.9f);
  CHECK(ToJson(score).find("\"score\":0.9,") != std::string::npos);
  score.set_score(std::numeric_limits<float>::infinity());
  CHECK(ToJson(score).find("\"score\":\"Infinity\"") != std::string::npos);
}

TEST_CASE("BothNamesOfAFieldAndBothFormsOfALongIntegerAreTaken") {
  v1::ClassifyRequest request;
  REQUIRE(FromJson(R"({"versionLabel": "stable", "version": 7, "options": {"topK": 2, "raw_logits": true}})", request)
              .ok());
  CHECK(request.version_label() == "stable");
  CHECK(request.version() == 7);
  CHECK(request.options().top_k() == 2);
  v1::ClassifyRequest quoted;
  REQUIRE(FromJson(R"({"version": "-9223372036854775808"})", quoted).ok());
  CHECK(quoted.version() == std::numeric_limits<int64_t>::min());
}

TEST_CASE("WhatIsWrongIsNamedWithItsPlace") {
  const std::pair<std::string, std::string> bad[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {"[1]", "expected an object"},
      {"null", "expected an object"},
      {"{'model': 'a'}", "not valid JSON"},
      {"{\"model\": \"a\",}", "not valid JSON"},
      {"{\"model\": \"a\"} x", "not valid JSON"},
      {"{\"model\": \"\\ud800\"}", "not valid JSON"},
      {"{\"model\": \"\xff\"}", "not valid JSON"},
      {std::string("{\"model\": \"a\0\"}", 15), "not valid JSON"},
      {"{\"model\": \"a\", \"model\": \"b\"}", "the key \"model\" is there twice"},
      {R"({"inputs": [{"text": "a"}, {"text": "b", "text": "c"}]})", "inputs[1]: the key \"text\" is there twice"},
      {R"({"options": {"x": [[], [{}, {"a": 1, "a": 2}]]}})", "options.x[1][1]: the key \"a\" is there twice"},
      {R"({"model": 5})", "model: expected a string"},
      {R"({"model": null})", "model: expected a string"},
      {R"({"inputs": {"text": "a"}})", "inputs: expected a list"},
      {R"({"inputs": ["a"]})", "inputs[0]: expected an object"},
      {R"({"inputs": [{"text": "a"}, {"text": 5}]})", "inputs[1].text: expected a string"},
      {R"({"inputs": [{"txt": "a"}]})", "inputs[0].\"txt\": unknown field of TextInput"},
      {R"({"options": {"top_k": -1}})", "options.top_k: expected an integer from 0 to 4294967295"},
      {R"({"options": {"top_k": 4294967296}})", "options.top_k: expected an integer"},
      {R"({"options": {"top_k": 1.0}})", "options.top_k: expected an integer"},
      {R"({"options": {"top_k": "1"}})", "options.top_k: expected an integer"},
      {R"({"options": {"top_k": true}})", "options.top_k: expected an integer"},
      {R"({"options": {"raw_logits": "true"}})", "options.raw_logits: expected true or false"},
      {R"({"options": {"raw_logits": 1}})", "options.raw_logits: expected true or false"},
      {R"({"options": {"threshold": "NaN"}})", "options.threshold: expected a number"},
      {R"({"options": {"threshold": 1e39}})", "options.threshold: expected a number"},
      {R"({"options": {"threshold": 1e400}})", "not valid JSON: a number is out of range"},
      {R"({"options": {"topK": 1, "top_k": 1}})", "is set twice"},
      {R"({"version": 9223372036854775808})", "version: expected an integer"},
      {R"({"version": "9223372036854775808"})", "version: expected an integer"},
      {R"({"version": "0x7"})", "version: expected an integer"},
      {R"({"version": " 1"})", "version: expected an integer"},
      {R"({"version": "1 "})", "version: expected an integer"},
      {R"({"version": "+1"})", "version: expected an integer"},
      {R"({"version": ""})", "version: expected an integer"},
      {R"({"version": 1.5})", "version: expected an integer"},
      {R"({"priority": 1})", "priority: expected the name of a Priority, such as \"PRIORITY_BATCH\""},
      {R"({"priority": "HIGH"})", "priority: expected the name of a Priority"},
      {"{\"options\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}", "nested deeper"},
  };
  for (const auto& [text, part] : bad) {
    const absl::Status status = Read(text);
    INFO(text.substr(0, 80) << " -> " << status.ToString());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(part) != std::string::npos);
  }
  CHECK(Read(R"({"id": "1", "response": {}, "error": {}})", v1::StreamClassifyResponse()).message() ==
        "response: is set twice");
}

TEST_CASE("TenThousandBrokenRequestsAreRefusedOrRead") {
  const std::string good = R"({"model":"m","version":"3","inputs":[{"text":"a\u00e9","text_pair":""}],)"
                           R"("options":{"top_k":1,"threshold":0.5,"raw_logits":true},"priority":"PRIORITY_HIGH"})";
  REQUIRE(Read(good).ok());
  std::mt19937 random(11);
  const std::string pieces = "{}[]\":,\\u0e-9.tfnull\x80\xff ";
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string text = good;
    for (size_t n = 1 + random() % 3; n > 0; --n) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = pieces[random() % pieces.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 5);
          break;
        default:
          text.insert(at, 1, pieces[random() % pieces.size()]);
      }
    }
    refused += !Read(text).ok();
  }
  CHECK(refused > 5'000);
}

}  // namespace
}  // namespace bertha::server
