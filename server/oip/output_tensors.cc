#include "server/oip/output_tensors.h"

#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "models/tasks/classification.h"
#include "server/oip/parameters.h"
#include "server/oip/tensors.h"
#include "tokenizer/json_reader.h"

namespace bertha::server::oip {
namespace {

using models::Score;
using tokenizer::Quoted;

absl::StatusOr<RequestedOutput> Request(const inference::ModelInferRequest::InferRequestedOutputTensor& wanted,
                                        const std::vector<OutputTensor>& known) {
  const auto found = std::ranges::find(known, absl::string_view(wanted.name()),
                                       [](const OutputTensor& tensor) { return absl::string_view(tensor.name); });
  if (found == known.end()) {
    std::string names;
    for (const OutputTensor& tensor : known) absl::StrAppend(&names, names.empty() ? "" : ", ", tensor.name);
    return absl::InvalidArgumentError(
        absl::StrCat("output ", Quoted(wanted.name()), ": the model has no such output; it has ", names));
  }
  RequestedOutput output{*found};
  if (wanted.parameters().contains("shared_memory_region")) {
    return absl::InvalidArgumentError(absl::StrCat("output \"", found->name, "\": shared memory is not supported"));
  }
  if (!wanted.parameters().contains("classification")) return output;
  absl::StatusOr<uint64_t> classes = CountParameter(wanted.parameters(), "classification");
  if (!classes.ok() || *classes == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("output \"", found->name, "\": parameter \"classification\": expected a number of at least 1"));
  }
  if (found->kind != OutputKind::kScore && found->kind != OutputKind::kLogits) {
    return absl::InvalidArgumentError(absl::StrCat("output \"", found->name,
                                                   "\": parameter \"classification\": goes with \"score\" and "
                                                   "\"logits\" only"));
  }
  output.classes = static_cast<size_t>(std::min<uint64_t>(*classes, known.back().width));
  return output;
}

/// Turns one row after the other into the raw contents of an output.
class Writer {
 public:
  Writer(const models::Manifest& manifest, const RequestedOutput& output, std::string& raw)
      : manifest_(manifest), output_(output), raw_(raw) {}

  void Add(std::span<const float> row) {
    switch (output_.tensor.kind) {
      case OutputKind::kLabel:
        return AppendBytes(manifest_.labels[Best(row, 1)[0].index], raw_);
      case OutputKind::kScore:
        if (output_.classes > 0) return AddClasses(Best(row, output_.classes));
        return AppendNumbers(&Best(row, 1)[0].score, 1, raw_);
      case OutputKind::kLogits:
        if (output_.classes == 0) break;
        Best(row, output_.classes);
        for (Score& score : scores_) score.score = row[score.index];
        return AddClasses(scores_);
      case OutputKind::kEmbedding:
        break;
    }
    AppendNumbers(row.data(), row.size(), raw_);
  }

 private:
  const std::vector<Score>& Best(std::span<const float> logits, size_t count) {
    models::ScoreLabels(logits, manifest_.problem_type, count, 0, scores_);
    return scores_;
  }
  void AddClasses(const std::vector<Score>& scores) {
    for (const Score& score : scores) {
      AppendBytes(absl::StrFormat("%f:%u:%s", score.score, score.index, manifest_.labels[score.index]), raw_);
    }
  }

  const models::Manifest& manifest_;
  const RequestedOutput& output_;
  std::string& raw_;
  std::vector<Score> scores_;
};

}  // namespace

std::vector<OutputTensor> OutputTensorsOf(const models::Manifest& manifest) {
  if (manifest.task == models::Task::kSequenceClassification) {
    return {{OutputKind::kLabel, "label", "BYTES"},
            {OutputKind::kScore, "score", "FP32"},
            {OutputKind::kLogits, "logits", "FP32", manifest.labels.size(), /*by_default=*/false}};
  }
  if (manifest.task == models::Task::kEmbeddings) {
    return {{OutputKind::kEmbedding, "embedding", "FP32", models::PooledSize(manifest.pooling, manifest.dimension)}};
  }
  return {};
}

absl::StatusOr<std::vector<RequestedOutput>> RequestedOutputsOf(const inference::ModelInferRequest& request,
                                                                const models::Manifest& manifest) {
  const std::vector<OutputTensor> known = OutputTensorsOf(manifest);
  std::vector<RequestedOutput> outputs;
  if (request.outputs().empty()) {
    for (const OutputTensor& tensor : known) {
      if (tensor.by_default) outputs.push_back({tensor});
    }
    return outputs;
  }
  for (const auto& wanted : request.outputs()) {
    absl::StatusOr<RequestedOutput> output = Request(wanted, known);
    if (!output.ok()) return output.status();
    const bool twice = std::ranges::any_of(
        outputs, [&](const RequestedOutput& other) { return other.tensor.kind == output->tensor.kind; });
    if (twice) return absl::InvalidArgumentError(absl::StrCat("output \"", output->tensor.name, "\": is there twice"));
    outputs.push_back(*output);
  }
  return outputs;
}

void AddOutputs(const std::vector<RequestedOutput>& outputs, const models::Manifest& manifest, const OutputRows& rows,
                inference::ModelInferResponse& response) {
  const size_t n = rows.values.size() / rows.width;
  for (const RequestedOutput& output : outputs) {
    auto& tensor = *response.add_outputs();
    tensor.set_name(output.tensor.name);
    tensor.set_datatype(output.classes > 0 ? "BYTES" : output.tensor.datatype);
    tensor.add_shape(static_cast<int64_t>(n));
    const size_t columns = output.classes > 0 ? output.classes : output.tensor.width;
    if (columns > 0) tensor.add_shape(static_cast<int64_t>(columns));
    Writer writer(manifest, output, *response.add_raw_output_contents());
    for (size_t i = 0; i < n; ++i) writer.Add(std::span(rows.values).subspan(i * rows.width, rows.width));
  }
}

}  // namespace bertha::server::oip
