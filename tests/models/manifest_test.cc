#include "models/manifest.h"

#include <set>

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

TEST_CASE("EachTaskHasKeysOfItsOwn") {
  const Manifest tokens = ParsedManifest(GoodManifest(Task::kTokenClassification));
  CHECK(tokens.task == Task::kTokenClassification);
  CHECK(tokens.labels == std::vector<std::string>{"O", "B-X", "I-X"});
  CHECK(tokens.aggregation == Aggregation::kFirst);
  CHECK_FALSE(tokens.accepts_pairs);
  CHECK(tokens.row_per_token());
  CHECK(tokens.output_width() == 3);
  const Manifest answers = ParsedManifest(GoodManifest(Task::kQuestionAnswering));
  CHECK(answers.task == Task::kQuestionAnswering);
  CHECK(answers.accepts_pairs);
  CHECK(answers.row_per_token());
  CHECK(answers.output_width() == 2);
  const Manifest vectors = ParsedManifest(GoodManifest(Task::kEmbeddings));
  CHECK(vectors.task == Task::kEmbeddings);
  CHECK(vectors.dimension == 2);
  CHECK(vectors.pooling == Pooling::kCls);
  CHECK(vectors.normalize);
  CHECK(vectors.accepts_pairs);
  CHECK(vectors.row_per_token());
  CHECK(vectors.output_width() == 2);
  const Manifest texts = ParsedManifest();
  CHECK_FALSE(texts.row_per_token());
  CHECK(texts.output_width() == 2);
}

TEST_CASE("ATaskIsNamedAsInTheManifest") {
  for (const Task task : kAllTasks) CHECK(GoodManifest(task)["task"] == std::string(TaskName(task)));
  CHECK(TaskName(Task::kEmbeddings) == "embeddings");
}

TEST_CASE("EveryAggregationAndPoolingHasItsName") {
  const std::vector<std::pair<const char*, Aggregation>> aggregations = {{"none", Aggregation::kNone},
                                                                         {"simple", Aggregation::kSimple},
                                                                         {"first", Aggregation::kFirst},
                                                                         {"average", Aggregation::kAverage},
                                                                         {"max", Aggregation::kMax}};
  json content = GoodManifest(Task::kTokenClassification);
  for (const auto& [name, aggregation] : aggregations) {
    content["aggregation"] = name;
    CHECK(ParsedManifest(content).aggregation == aggregation);
  }
  content.erase("aggregation");
  CHECK(ParsedManifest(content).aggregation == Aggregation::kSimple);

  const std::vector<std::pair<const char*, Pooling>> poolings = {{"mean", Pooling::kMean},
                                                                 {"cls", Pooling::kCls},
                                                                 {"max", Pooling::kMax},
                                                                 {"cls+mean", Pooling::kClsMean},
                                                                 {"last", Pooling::kLast}};
  content = GoodManifest(Task::kEmbeddings);
  for (const auto& [name, pooling] : poolings) {
    content["pooling"] = name;
    CHECK(ParsedManifest(content).pooling == pooling);
  }
  for (const char* key : {"pooling", "normalize", "accepts_pairs"}) content.erase(key);
  const Manifest defaults = ParsedManifest(content);
  CHECK(defaults.pooling == Pooling::kMean);
  CHECK_FALSE(defaults.normalize);
  CHECK(defaults.accepts_pairs);
}

TEST_CASE("AKeyOfAnotherTaskIsUnknown") {
  const std::vector<std::pair<const char*, json>> values = {{"problem_type", "regression"},
                                                            {"labels", {"a"}},
                                                            {"aggregation", "max"},
                                                            {"dimension", 4},
                                                            {"pooling", "mean"},
                                                            {"normalize", false},
                                                            {"accepts_pairs", false}};
  const std::vector<std::pair<Task, std::set<std::string>>> own = {
      {Task::kSequenceClassification, {"problem_type", "labels", "accepts_pairs"}},
      {Task::kTokenClassification, {"labels", "aggregation"}},
      {Task::kQuestionAnswering, {}},
      {Task::kEmbeddings, {"dimension", "pooling", "normalize", "accepts_pairs"}}};
  for (const auto& [task, keys] : own) {
    for (const auto& [key, value] : values) {
      json content = GoodManifest(task);
      content[key] = value;
      CAPTURE(content.dump());
      const absl::Status status = ParseManifest(content.dump()).status();
      CHECK(status == (keys.contains(key) ? absl::OkStatus()
                                          : absl::InvalidArgumentError(std::string("$.") + key + ": unknown key")));
    }
  }
}

TEST_CASE("KeysOfTheOtherTasksAreCheckedToo") {
  struct Case {
    Task task;
    const char* key;
    json value;
    std::string message;
  };
  const std::vector<Case> cases = {
      {Task::kTokenClassification, "labels", nullptr, "$.labels: missing"},
      {Task::kTokenClassification, "labels", json::array(), "$.labels: expected at least one label"},
      {Task::kTokenClassification, "labels", {"O", "O"}, "$.labels[1]: \"O\" is there twice"},
      {Task::kTokenClassification, "aggregation", "mean",
       "$.aggregation: unknown aggregation \"mean\"; known: none, simple, first, average, max"},
      {Task::kTokenClassification, "aggregation", 1, "$.aggregation: expected a string"},
      {Task::kEmbeddings, "dimension", nullptr, "$.dimension: missing"},
      {Task::kEmbeddings, "dimension", 0, "$.dimension: expected an integer from 1 to 65536"},
      {Task::kEmbeddings, "dimension", 65537, "$.dimension: expected an integer from 1 to 65536"},
      {Task::kEmbeddings, "pooling", "first",
       "$.pooling: unknown pooling \"first\"; known: mean, cls, max, cls+mean, last"},
      {Task::kEmbeddings, "normalize", "yes", "$.normalize: expected true or false"},
      {Task::kEmbeddings, "accepts_pairs", 0, "$.accepts_pairs: expected true or false"},
  };
  for (const Case& c : cases) {
    json content = GoodManifest(c.task);
    content[c.key] = c.value;
    CAPTURE(content.dump());
    CHECK(ParseManifest(content.dump()).status() == absl::InvalidArgumentError(c.message));
  }
}

json GoodEncoder() { return {{"heads", 2}, {"layers", 3}, {"activation", "gelu"}, {"layer_norm_epsilon", 1e-12}}; }

TEST_CASE("WhatTheWeightsDoNotSayIsReadFieldByField") {
  CHECK_FALSE(ParsedManifest().encoder.has_value());
  json content = GoodManifest();
  content["encoder"] = GoodEncoder();
  const std::optional<EncoderSettings> encoder = ParsedManifest(content).encoder;
  REQUIRE(encoder);
  CHECK(encoder->heads == 2);
  CHECK(encoder->layers == 3);
  CHECK(encoder->activation == Activation::kGelu);
  CHECK(encoder->layer_norm_epsilon == 1e-12f);
  const std::vector<std::pair<const char*, Activation>> activations = {{"none", Activation::kNone},
                                                                       {"gelu", Activation::kGelu},
                                                                       {"gelu_tanh", Activation::kGeluTanh},
                                                                       {"relu", Activation::kRelu},
                                                                       {"tanh", Activation::kTanh}};
  content["encoder"]["layers"] = 0;
  for (const auto& [name, activation] : activations) {
    content["encoder"]["activation"] = name;
    CHECK(ParsedManifest(content).encoder->activation == activation);
  }
  CHECK(ParsedManifest(content).encoder->layers == 0);
}

TEST_CASE("AFamilyMayHaveEncoderKeysOfItsOwn") {
  json content = GoodManifest();
  content["encoder"] = GoodEncoder();
  auto parse = [&](const char* family, Task task, const json& encoder) {
    content = GoodManifest(task);
    content["family"] = family;
    content["encoder"] = encoder;
    return ParseManifest(content.dump());
  };
  json roberta = GoodEncoder(), xlnet = GoodEncoder();
  roberta["padding_id"] = 7;
  xlnet["summary_activation"] = "none";
  for (const Task task : kAllTasks) {
    const auto parsed = parse("roberta", task, roberta);
    REQUIRE(parsed.ok());
    CHECK(parsed->encoder->padding_id == 7);
  }
  const auto parsed = parse("xlnet", Task::kSequenceClassification, xlnet);
  REQUIRE(parsed.ok());
  CHECK(parsed->encoder->summary_activation == Activation::kNone);

  auto message = [&](const char* family, Task task, const json& encoder) {
    return std::string(parse(family, task, encoder).status().message());
  };
  const Task texts = Task::kSequenceClassification, tokens = Task::kTokenClassification;
  CHECK(message("roberta", texts, GoodEncoder()) == "$.encoder.padding_id: missing");
  CHECK(message("xlnet", texts, GoodEncoder()) == "$.encoder.summary_activation: missing");
  CHECK(message("xlnet", tokens, GoodEncoder()) == "");
  CHECK(message("xlnet", tokens, xlnet) == "$.encoder.summary_activation: unknown key");
  CHECK(message("xlnet", texts, roberta) == "$.encoder.padding_id: unknown key");
  for (const char* family : {"bert", "distilbert", "albert"}) {
    CHECK(message(family, texts, GoodEncoder()) == "");
    CHECK(message(family, texts, roberta) == "$.encoder.padding_id: unknown key");
    CHECK(message(family, texts, xlnet) == "$.encoder.summary_activation: unknown key");
  }
  CHECK(message("torchscript", texts, GoodEncoder()) == "$.encoder: unknown key");
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
      {"/task", "translation",
       "$.task: unknown task \"translation\"; known: sequence-classification, token-classification, "
       "question-answering, embeddings"},
      {"/task", 1, "$.task: expected a string"},
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
      {"/encoder", 1, "$.encoder: expected an object"},
      {"/encoder", json::object(), "$.encoder.heads: missing"},
      {"/encoder/heads", 0, "$.encoder.heads: expected an integer from 1 to 1024"},
      {"/encoder/layers", -1, "$.encoder.layers: expected an integer from 0 to 1024"},
      {"/encoder/layers", nullptr, "$.encoder.layers: missing"},
      {"/encoder/activation", "silu",
       "$.encoder.activation: unknown activation \"silu\"; known: none, gelu, gelu_tanh, relu, tanh"},
      {"/encoder/layer_norm_epsilon", 0, "$.encoder.layer_norm_epsilon: expected a number from 1e-30 to 1"},
      {"/encoder/layer_norm_epsilon", 2, "$.encoder.layer_norm_epsilon: expected a number from 1e-30 to 1"},
      {"/encoder/layer_norm_epsilon", "1e-12", "$.encoder.layer_norm_epsilon: expected a number from 1e-30 to 1"},
      {"/encoder/head_size", 64, "$.encoder.head_size: unknown key"},
      {"/provenance", "hub", "$.provenance: expected an object"},
      {"/max_lenght", 8, "$.max_lenght: unknown key"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.pointer, c.value.dump());
    json content = GoodManifest();
    content["encoder"] = GoodEncoder();
    content[json::json_pointer(c.pointer)] = c.value;
    const absl::Status status = ParseManifest(content.dump()).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message() == c.message);
  }
}

TEST_CASE("WithoutATaskNothingElseIsJudged") {
  json content = GoodManifest(Task::kEmbeddings);
  content.erase("task");
  CHECK(ParseManifest(content.dump()).status().message() == "$.task: missing");
}

TEST_CASE("TextThatIsNoJsonIsNoManifest") {
  CHECK(ParseManifest("").status().message() == "not valid JSON, at byte 1");
  CHECK(ParseManifest("[]").status().message() == "$: expected an object");
}

}  // namespace
}  // namespace bertha::models
