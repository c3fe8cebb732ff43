#include "models/probes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "models/json.h"
#include "models/tasks/classification.h"

namespace bertha::models {
namespace {

constexpr size_t kMaxProbes = 1000;
absl::Status CheckAgainstManifest(const Probe& probe, const Manifest& manifest) {
  if (probe.ids.empty() || probe.ids.size() > manifest.max_length) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", probe.ids.size(), " ids, expected 1 to max_length = ", manifest.max_length));
  }
  if (probe.type_ids.size() != probe.ids.size()) return absl::InvalidArgumentError("type_ids and ids differ in length");
  const size_t rows = manifest.row_per_token() ? probe.ids.size() : 1;
  if (probe.logits.size() != rows * manifest.output_width()) {
    return absl::InvalidArgumentError(manifest.row_per_token()
                                          ? absl::StrCat("has ", probe.logits.size(), " logits, expected ", rows,
                                                         " tokens * ", manifest.output_width())
                                          : absl::StrCat("has ", probe.logits.size(), " logits, but bertha.json has ",
                                                         manifest.labels.size(), " labels"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Probe> ReadProbe(const nlohmann::json& object, const std::string& path, const Manifest& manifest) {
  JsonReader reader(object, path);
  Probe probe;
  probe.text = reader.String("text");
  if (reader.Optional("text_pair")) probe.text_pair = reader.String("text_pair");
  probe.ids = reader.Ids("ids");
  probe.type_ids = reader.Ids("type_ids");
  probe.logits = reader.Floats("logits");
  if (absl::Status status = reader.Done(); !status.ok()) return status;
  if (absl::Status status = CheckAgainstManifest(probe, manifest); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
  }
  return probe;
}

/// The double that prints as shortly as the float does.
double ShortDouble(float number) {
  std::array<char, 32> text;
  const char* end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  double result = 0;
  std::from_chars(text.data(), end, result);
  return result;
}

}  // namespace

absl::StatusOr<std::vector<Probe>> ParseProbes(const std::string& text, const Manifest& manifest) {
  absl::StatusOr<nlohmann::json> document = ParseJsonObject(text);
  if (!document.ok()) return document.status();
  JsonReader reader(*document);
  reader.Integer("schema_version", 1, 1);
  const nlohmann::json* list = reader.List("probes");
  if (absl::Status status = reader.Done(); !status.ok()) return status;
  if (list->empty() || list->size() > kMaxProbes) {
    return absl::InvalidArgumentError(absl::StrCat("$.probes: expected 1 to ", kMaxProbes, " probes"));
  }
  std::vector<Probe> probes;
  for (size_t i = 0; i < list->size(); ++i) {
    absl::StatusOr<Probe> probe = ReadProbe((*list)[i], absl::StrCat("$.probes[", i, "]"), manifest);
    if (!probe.ok()) return probe.status();
    probes.push_back(*std::move(probe));
  }
  return probes;
}

absl::Status CheckTokenizer(const tokenizer::Tokenizer& tokenizer, const Manifest& manifest,
                            const std::vector<Probe>& probes) {
  tokenizer::Scratch scratch;
  tokenizer::Encoding encoding;
  for (size_t i = 0; i < probes.size(); ++i) {
    std::optional<absl::string_view> pair;
    if (probes[i].text_pair) pair = *probes[i].text_pair;
    absl::Status status =
        tokenizer.Encode(probes[i].text, pair, {.max_length = manifest.max_length}, scratch, encoding);
    if (status.ok() && (encoding.ids != probes[i].ids || encoding.type_ids != probes[i].type_ids)) {
      status = absl::FailedPreconditionError("gives other ids than the exporter did");
    }
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat("probe ", i, ": ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status RunProbes(batcher::Encoder& encoder, const std::vector<Probe>& probes, std::span<const size_t> which,
                       batcher::EncoderOutput& output) {
  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};
  for (const size_t i : which) {
    ids.insert(ids.end(), probes[i].ids.begin(), probes[i].ids.end());
    type_ids.insert(type_ids.end(), probes[i].type_ids.begin(), probes[i].type_ids.end());
    cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
  }
  if (absl::Status status = encoder.Stage({ids, type_ids, cu_seqlens}, 0); !status.ok()) return status;
  return encoder.Run(0, output);
}

absl::StatusOr<std::vector<Probe>> EncodeProbes(const tokenizer::Tokenizer& tokenizer, const Manifest& manifest,
                                                const std::vector<ProbeText>& texts) {
  if (texts.empty() || texts.size() > kMaxProbes) {
    return absl::InvalidArgumentError(absl::StrCat("expected 1 to ", kMaxProbes, " texts, got ", texts.size()));
  }
  std::vector<Probe> probes;
  tokenizer::Scratch scratch;
  tokenizer::Encoding encoding;
  for (const ProbeText& text : texts) {
    const std::string name = absl::StrCat("text ", probes.size() + 1);
    if (text.text_pair && !manifest.accepts_pairs) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": is a pair, which the model does not take"));
    }
    if (!text.text_pair && manifest.task == Task::kQuestionAnswering) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": is no pair of question and context"));
    }
    std::optional<absl::string_view> pair;
    if (text.text_pair) pair = *text.text_pair;
    absl::Status status = tokenizer.Encode(text.text, pair, {.max_length = manifest.max_length}, scratch, encoding);
    if (status.ok() && encoding.ids.empty()) status = absl::InvalidArgumentError("has no tokens");
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
    probes.push_back({text, encoding.ids, encoding.type_ids, {}});
  }
  return probes;
}

absl::Status AnswerProbes(batcher::Encoder& encoder, std::vector<Probe>& probes) {
  batcher::EncoderOutput output;
  for (size_t i = 0; i < probes.size(); ++i) {
    absl::Status status = RunProbes(encoder, probes, std::span(&i, 1), output);
    if (status.ok() && !AllFinite(output.values)) status = absl::FailedPreconditionError("the logits are not finite");
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat("probe ", i, ": ", status.message()));
    probes[i].logits.assign(output.values.begin(), output.values.end());
  }
  return absl::OkStatus();
}

std::string ProbesToJson(const std::vector<Probe>& probes) {
  nlohmann::json list = nlohmann::json::array();
  for (const Probe& probe : probes) {
    nlohmann::json logits = nlohmann::json::array();
    for (const float logit : probe.logits) logits.push_back(ShortDouble(logit));
    list.push_back({{"text", probe.text},
                    {"text_pair", probe.text_pair ? nlohmann::json(*probe.text_pair) : nlohmann::json()},
                    {"ids", probe.ids},
                    {"type_ids", probe.type_ids},
                    {"logits", std::move(logits)}});
  }
  return nlohmann::json({{"schema_version", 1}, {"probes", std::move(list)}}).dump() + "\n";
}

}  // namespace bertha::models
