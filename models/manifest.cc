#include "models/manifest.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/families/families.h"
#include "models/json.h"
#include "tokenizer/json_reader.h"

namespace bertha::models {
namespace {

constexpr int64_t kMaxLength = 1'000'000;
constexpr int64_t kMaxDimension = 65'536;
constexpr int64_t kMaxHeads = 1024;
constexpr int64_t kMaxLayers = 1024;
/// The family of a module that nobody here knows.
constexpr char kUnknownFamily[] = "torchscript";

template <class T>
using Name = std::pair<const char*, T>;

constexpr std::array<Name<Task>, 4> kTasks = {{{"sequence-classification", Task::kSequenceClassification},
                                               {"token-classification", Task::kTokenClassification},
                                               {"question-answering", Task::kQuestionAnswering},
                                               {"embeddings", Task::kEmbeddings}}};
constexpr std::array<Name<ProblemType>, 3> kProblemTypes = {{{"single_label_classification", ProblemType::kSingleLabel},
                                                             {"multi_label_classification", ProblemType::kMultiLabel},
                                                             {"regression", ProblemType::kRegression}}};
constexpr std::array<Name<Aggregation>, 5> kAggregations = {{{"none", Aggregation::kNone},
                                                             {"simple", Aggregation::kSimple},
                                                             {"first", Aggregation::kFirst},
                                                             {"average", Aggregation::kAverage},
                                                             {"max", Aggregation::kMax}}};
constexpr std::array<Name<Pooling>, 5> kPoolings = {{{"mean", Pooling::kMean},
                                                     {"cls", Pooling::kCls},
                                                     {"max", Pooling::kMax},
                                                     {"cls+mean", Pooling::kClsMean},
                                                     {"last", Pooling::kLast}}};
constexpr std::array<Name<Activation>, 5> kActivations = {{{"none", Activation::kNone},
                                                           {"gelu", Activation::kGelu},
                                                           {"gelu_tanh", Activation::kGeluTanh},
                                                           {"relu", Activation::kRelu},
                                                           {"tanh", Activation::kTanh}}};

/// The value that `key` names; `what` is what its values are called in the error. Fails and gives none if it names
/// none.
template <class T, size_t N>
std::optional<T> ReadName(const std::string& key, absl::string_view what, const std::array<Name<T>, N>& names,
                          JsonReader& reader) {
  const std::string name = reader.String(key);
  for (const auto& [known, value] : names) {
    if (name == known) return value;
  }
  const std::string all =
      absl::StrJoin(names, ", ", [](std::string* out, const Name<T>& entry) { absl::StrAppend(out, entry.first); });
  reader.Fail(key, absl::StrCat("unknown ", what, " ", tokenizer::Quoted(name), "; known: ", all));
  return std::nullopt;
}

void CheckFamily(const std::string& family, JsonReader& reader) {
  if (FindFamily(family) || family == kUnknownFamily) return;
  std::string known;
  for (const Family& one : Families()) absl::StrAppend(&known, one.name, ", ");
  reader.Fail("family", absl::StrCat("unknown family ", tokenizer::Quoted(family), "; known: ", known, kUnknownFamily));
}

std::vector<std::string> ReadLabels(JsonReader& reader) {
  std::vector<std::string> labels = reader.Strings("labels");
  if (labels.empty()) reader.Fail("labels", "expected at least one label");
  std::set<std::string> seen;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string at = absl::StrCat("labels[", i, "]");
    if (labels[i].empty()) reader.Fail(at, "is empty");
    if (!seen.insert(labels[i]).second) reader.Fail(at, absl::StrCat(tokenizer::Quoted(labels[i]), " is there twice"));
  }
  return labels;
}

bool ReadInputs(JsonReader& reader) {
  const std::vector<std::string> inputs = reader.Strings("inputs");
  const std::vector<std::string> two = {"input_ids", "attention_mask"};
  const std::vector<std::string> three = {"input_ids", "attention_mask", "token_type_ids"};
  if (inputs != two && inputs != three) {
    reader.Fail("inputs", "expected [\"input_ids\", \"attention_mask\"] or the same with \"token_type_ids\" third");
  }
  return inputs == three;
}

Padding ReadPadding(JsonReader& reader) {
  const nlohmann::json* object = reader.Object("padding");
  if (!object) return {};
  JsonReader padding(*object, "$.padding");
  Padding result;
  result.id = static_cast<int32_t>(padding.Integer("id", 0, INT32_MAX));
  result.type_id = static_cast<int32_t>(padding.Integer("type_id", 0, INT32_MAX));
  const std::string side = padding.String("side");
  if (side != "left" && side != "right") padding.Fail("side", "expected \"left\" or \"right\"");
  result.left = side == "left";
  reader.Fail(padding.Done());
  return result;
}

EncoderSettings ReadEncoder(const nlohmann::json& object, const Family& family, Task task, JsonReader& reader) {
  JsonReader encoder(object, "$.encoder");
  EncoderSettings result;
  result.heads = static_cast<size_t>(encoder.Integer("heads", 1, kMaxHeads));
  result.layers = static_cast<size_t>(encoder.Integer("layers", 0, kMaxLayers));
  result.activation = ReadName("activation", "activation", kActivations, encoder).value_or(Activation::kGelu);
  result.layer_norm_epsilon = static_cast<float>(encoder.Number("layer_norm_epsilon", 1e-30, 1));
  if (family.padding_id) result.padding_id = static_cast<int32_t>(encoder.Integer("padding_id", 0, kMaxLength));
  if (family.summary_activation && task == Task::kSequenceClassification) {
    result.summary_activation =
        ReadName("summary_activation", "activation", kActivations, encoder).value_or(Activation::kTanh);
  }
  reader.Fail(encoder.Done());
  return result;
}

/// Reads the keys that belong to the task; those of another stay unread, and so unknown.
void ReadOwnKeys(JsonReader& reader, Manifest& manifest) {
  switch (manifest.task) {
    case Task::kSequenceClassification:
      manifest.problem_type =
          ReadName("problem_type", "problem type", kProblemTypes, reader).value_or(ProblemType::kSingleLabel);
      manifest.labels = ReadLabels(reader);
      manifest.accepts_pairs = reader.Bool("accepts_pairs", true);
      break;
    case Task::kTokenClassification:
      manifest.labels = ReadLabels(reader);
      if (reader.Optional("aggregation")) {
        manifest.aggregation =
            ReadName("aggregation", "aggregation", kAggregations, reader).value_or(Aggregation::kSimple);
      }
      manifest.accepts_pairs = false;
      break;
    case Task::kQuestionAnswering:
      manifest.accepts_pairs = true;
      break;
    case Task::kEmbeddings:
      manifest.dimension = static_cast<size_t>(reader.Integer("dimension", 1, kMaxDimension));
      if (reader.Optional("pooling")) {
        manifest.pooling = ReadName("pooling", "pooling", kPoolings, reader).value_or(Pooling::kMean);
      }
      manifest.normalize = reader.Bool("normalize", false);
      manifest.accepts_pairs = reader.Bool("accepts_pairs", true);
      break;
  }
}

}  // namespace

absl::string_view TaskName(Task task) { return std::ranges::find(kTasks, task, &Name<Task>::second)->first; }

absl::StatusOr<Manifest> ParseManifest(const std::string& text) {
  absl::StatusOr<nlohmann::json> document = ParseJsonObject(text);
  if (!document.ok()) return document.status();
  JsonReader reader(*document);
  Manifest manifest;
  reader.Integer("schema_version", 1, 1);
  manifest.family = reader.String("family");
  CheckFamily(manifest.family, reader);
  const std::optional<Task> task = ReadName("task", "task", kTasks, reader);
  // Without it no other key could be judged.
  if (!task) return reader.first_error();
  manifest.task = *task;
  ReadOwnKeys(reader, manifest);
  manifest.max_length = static_cast<size_t>(reader.Integer("max_length", 1, kMaxLength));
  manifest.takes_type_ids = ReadInputs(reader);
  manifest.padding = ReadPadding(reader);
  // Of a module that nobody here knows no engine would make sense of it.
  if (manifest.family != kUnknownFamily && reader.Optional("encoder")) {
    const nlohmann::json* object = reader.Object("encoder");
    const Family* family = FindFamily(manifest.family);
    if (object && family) manifest.encoder = ReadEncoder(*object, *family, manifest.task, reader);
  }
  if (reader.Optional("provenance")) reader.Object("provenance");
  if (absl::Status status = reader.Done(); !status.ok()) return status;
  return manifest;
}

}  // namespace bertha::models
