#include "models/manifest.h"

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "models/json.h"

namespace bertha::models {
namespace {

constexpr int64_t kMaxLength = 1'000'000;
constexpr std::array<const char*, 6> kFamilies = {"bert", "roberta", "distilbert", "xlnet", "albert", "torchscript"};

void CheckFamily(const std::string& family, JsonReader& reader) {
  if (std::ranges::find(kFamilies, family) == kFamilies.end()) {
    reader.Fail("family", absl::StrCat("unknown family \"", family, "\"; known: ", absl::StrJoin(kFamilies, ", ")));
  }
}

ProblemType ReadProblemType(JsonReader& reader) {
  const std::string name = reader.String("problem_type");
  if (name == "single_label_classification") return ProblemType::kSingleLabel;
  if (name == "multi_label_classification") return ProblemType::kMultiLabel;
  if (name == "regression") return ProblemType::kRegression;
  reader.Fail("problem_type", absl::StrCat("unknown problem type \"", name,
                                           "\"; known: single_label_classification, multi_label_classification, "
                                           "regression"));
  return ProblemType::kSingleLabel;
}

void CheckLabels(const std::vector<std::string>& labels, JsonReader& reader) {
  if (labels.empty()) reader.Fail("labels", "expected at least one label");
  std::set<std::string> seen;
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string at = absl::StrCat("labels[", i, "]");
    if (labels[i].empty()) reader.Fail(at, "is empty");
    if (!seen.insert(labels[i]).second) reader.Fail(at, absl::StrCat("\"", labels[i], "\" is there twice"));
  }
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

}  // namespace

absl::string_view TaskName(Task) { return "sequence-classification"; }

absl::StatusOr<Manifest> ParseManifest(const std::string& text) {
  absl::StatusOr<nlohmann::json> document = ParseJsonObject(text);
  if (!document.ok()) return document.status();
  JsonReader reader(*document);
  Manifest manifest;
  reader.Integer("schema_version", 1, 1);
  manifest.family = reader.String("family");
  CheckFamily(manifest.family, reader);
  const std::string task = reader.String("task");
  if (task != TaskName(Task::kSequenceClassification)) {
    reader.Fail("task", absl::StrCat("unknown task \"", task, "\"; known: sequence-classification"));
  }
  manifest.problem_type = ReadProblemType(reader);
  manifest.labels = reader.Strings("labels");
  CheckLabels(manifest.labels, reader);
  manifest.max_length = static_cast<size_t>(reader.Integer("max_length", 1, kMaxLength));
  manifest.takes_type_ids = ReadInputs(reader);
  manifest.padding = ReadPadding(reader);
  manifest.accepts_pairs = reader.Bool("accepts_pairs", true);
  if (reader.Optional("provenance")) reader.Object("provenance");
  if (absl::Status status = reader.Done(); !status.ok()) return status;
  return manifest;
}

}  // namespace bertha::models
