#include "models/manifest.h"

#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

using nlohmann::json;

TEST_CASE("AManifestIsReadFieldByField") {
  const Manifest manifest = ParsedManifest();
  CHECK(manifest.family == "bert");
  CHECK(manifest.task == Task::kSequenceClassification);
  CHECK(manifest.problem_type == ProblemType::kSingleLabel);
  CHECK(manifest.labels == std::vector<std::string>{"no", "yes"});
  CHECK(manifest.max_length == 8);
  CHECK(manifest.takes_type_ids);
  CHECK(manifest.padding.id == 0);
  CHECK(manifest.padding.type_id == 0);
  CHECK_FALSE(manifest.padding.left);
  CHECK(manifest.accepts_pairs);
}

TEST_CASE("EveryValueThatTheSpecificationNamesIsAccepted") {
  json content = GoodManifest();
  for (const char* family : {"bert", "roberta", "distilbert", "xlnet", "albert", "torchscript"}) {
    content["family"] = family;
    CHECK(ParsedManifest(content).family == family);
  }
  const std::vector<std::pair<std::string, ProblemType>> types = {
      {"single_label_classification", ProblemType::kSingleLabel},
      {"multi_label_classification", ProblemType::kMultiLabel},
      {"regression", ProblemType::kRegression}};
  for (const auto& [name, type] : types) {
    content["problem_type"] = name;
    CHECK(ParsedManifest(content).problem_type == type);
  }
  for (const int length : {1, 512, 1'000'000}) {
    content["max_length"] = length;
    CHECK(ParsedManifest(content).max_length == static_cast<size_t>(length));
  }
  content["inputs"] = {"input_ids", "attention_mask"};
  CHECK_FALSE(ParsedManifest(content).takes_type_ids);
  content["padding"] = {{"id", INT32_MAX}, {"type_id", 3}, {"side", "left"}};
  const Manifest left = ParsedManifest(content);
  CHECK(left.padding.left);
  CHECK(left.padding.id == INT32_MAX);
  CHECK(left.padding.type_id == 3);
  content["accepts_pairs"] = false;
  CHECK_FALSE(ParsedManifest(content).accepts_pairs);
  content["labels"] = {"only"};
  CHECK(ParsedManifest(content).labels.size() == 1);
}

TEST_CASE("OptionalKeysMayBeAbsent") {
  json content = GoodManifest();
  content.erase("accepts_pairs");
  content.erase("provenance");
  CHECK(ParsedManifest(content).accepts_pairs);
}

TEST_CASE("EachRequiredKeyIsMissedByName") {
  const json good = GoodManifest();
  for (const auto& item : good.items()) {
    if (item.key() == "accepts_pairs" || item.key() == "provenance") continue;
    json content = good;
    content.erase(item.key());
    CAPTURE(item.key());
    CHECK(ParseManifest(content.dump()).status().message() == "$." + item.key() + ": missing");
  }
  for (const char* key : {"id", "type_id", "side"}) {
    json content = GoodManifest();
    content["padding"].erase(key);
    CHECK(ParseManifest(content.dump()).status().message() == std::string("$.padding.") + key + ": missing");
  }
}

TEST_CASE("EachFieldThatIsWrongIsNamedWithWhatWasExpected") {
  struct Case {
    const char* pointer;
    json value;
    std::string message;
  };
  const std::string inputs =
      "$.inputs: expected [\"input_ids\", \"attention_mask\"] or the same with \"token_type_ids\" third";
  const std::vector<Case> cases = {
      {"/schema_version", 2, "$.schema_version: expected an integer from 1 to 1"},
      {"/schema_version", "1", "$.schema_version: expected an integer from 1 to 1"},
      {"/family", "gpt",
       "$.family: unknown family \"gpt\"; known: bert, roberta, distilbert, xlnet, albert, torchscript"},
      {"/family", 1, "$.family: expected a string"},
      {"/task", "token-classification",
       "$.task: unknown task \"token-classification\"; known: sequence-classification"},
      {"/problem_type", "softmax",
       "$.problem_type: unknown problem type \"softmax\"; known: single_label_classification, "
       "multi_label_classification, regression"},
      {"/problem_type", json::array(), "$.problem_type: expected a string"},
      {"/labels", json::array(), "$.labels: expected at least one label"},
      {"/labels", "yes", "$.labels: expected a list"},
      {"/labels/1", 7, "$.labels[1]: expected a string"},
      {"/labels/1", "", "$.labels[1]: is empty"},
      {"/labels/1", "no", "$.labels[1]: \"no\" is there twice"},
      {"/max_length", 0, "$.max_length: expected an integer from 1 to 1000000"},
      {"/max_length", 1'000'001, "$.max_length: expected an integer from 1 to 1000000"},
      {"/max_length", -1, "$.max_length: expected an integer from 1 to 1000000"},
      {"/max_length", 8.5, "$.max_length: expected an integer from 1 to 1000000"},
      {"/max_length", UINT64_MAX, "$.max_length: expected an integer from 1 to 1000000"},
      {"/inputs", json::array(), inputs},
      {"/inputs", {"input_ids"}, inputs},
      {"/inputs", {"attention_mask", "input_ids"}, inputs},
      {"/inputs", {"input_ids", "attention_mask", "token_type_ids", "position_ids"}, inputs},
      {"/inputs/2", "position_ids", inputs},
      {"/inputs/2", 1, "$.inputs[2]: expected a string"},
      {"/padding", 0, "$.padding: expected an object"},
      {"/padding/id", -1, "$.padding.id: expected an integer from 0 to 2147483647"},
      {"/padding/id", 2147483648, "$.padding.id: expected an integer from 0 to 2147483647"},
      {"/padding/type_id", "0", "$.padding.type_id: expected an integer from 0 to 2147483647"},
      {"/padding/side", "both", "$.padding.side: expected \"left\" or \"right\""},
      {"/padding/side", true, "$.padding.side: expected a string"},
      {"/padding/token", "[PAD]", "$.padding.token: unknown key"},
      {"/accepts_pairs", 1, "$.accepts_pairs: expected true or false"},
      {"/provenance", "hub", "$.provenance: expected an object"},
      {"/max_lenght", 8, "$.max_lenght: unknown key"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pointer, c.value.dump());
    json content = GoodManifest();
    content[json::json_pointer(c.pointer)] = c.value;
    const absl::Status status = ParseManifest(content.dump()).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message() == c.message);
  }
}

TEST_CASE("TextThatIsNoJsonIsNoManifest") {
  CHECK(ParseManifest("").status().message() == "not valid JSON, at byte 1");
  CHECK(ParseManifest("[]").status().message() == "$: expected an object");
}

}  // namespace
}  // namespace bertha::models
