#include "models/families/family_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bertha::models {
namespace {

/// The head is beside an encoder that is a part of the model, not the model itself.
std::string HeadPrefix(const std::string& prefix, absl::string_view encoder) {
  const bool is_part = prefix == encoder || prefix.ends_with(absl::StrCat(".", encoder));
  return is_part ? prefix.substr(0, prefix.size() - encoder.size()) : prefix;
}

}  // namespace

FamilySource::FamilySource(NamedWeights weights, const Family& family, const Manifest& manifest_in)
    : reader(std::move(weights)),
      manifest(manifest_in),
      settings(*manifest_in.encoder),
      prefix(reader.PrefixOf(family.words)),
      head(HeadPrefix(prefix, family.encoder)) {}

void FamilySource::ReadEmbedding(bool with_types, EncoderWeights& weights) {
  EmbeddingWeights& embedding = weights.embedding;
  const std::string at = absl::StrCat(prefix, "embeddings.");
  embedding.words = reader.Matrix(absl::StrCat(at, "word_embeddings.weight"), kAny, kAny);
  const size_t width = embedding.words.columns;
  embedding.positions = reader.Matrix(absl::StrCat(at, "position_embeddings.weight"), kAny, width);
  embedding.norm = reader.Norm(absl::StrCat(at, "LayerNorm"), width);
  if (with_types) {
    embedding.types = reader.Matrix(absl::StrCat(at, "token_type_embeddings.weight"), kAny, width);
    if (!manifest.takes_type_ids && !embedding.positions.empty() && !embedding.types.empty()) AddFirstType(embedding);
  }
  for (const char* numbers : {"position_ids", "token_type_ids"}) reader.Ignore(absl::StrCat(at, numbers));
  weights.hidden = width;
  weights.max_length = embedding.positions.rows;
}

void FamilySource::AddFirstType(EmbeddingWeights& embedding) {
  MatrixView& positions = embedding.positions;
  const std::span<float> sums = reader.Allocate(positions.rows * positions.columns);
  for (size_t row = 0; row < positions.rows; ++row) {
    for (size_t column = 0; column < positions.columns; ++column) {
      sums[row * positions.columns + column] = positions.at(row, column) + embedding.types.at(0, column);
    }
  }
  positions.data = sums.data();
  embedding.types = {};
}

void FamilySource::SplitHeads(EncoderWeights& weights) {
  if (weights.hidden % weights.heads != 0) {
    reader.Fail(absl::StrCat("bertha.json gives a layer ", weights.heads,
                             " heads, which do not divide its hidden size ", weights.hidden));
  }
  weights.head_size = weights.hidden / weights.heads;
}

LayerWeights FamilySource::ReadLayer(const std::string& layer, const LayerNames& names, EncoderWeights& weights) {
  const size_t hidden = weights.hidden, heads = weights.heads * weights.head_size;
  auto linear = [&](const char* name, size_t outputs, size_t inputs) {
    return reader.Linear(absl::StrCat(layer, name), outputs, inputs);
  };
  LayerWeights result;
  result.query = linear(names.query, heads, hidden);
  result.key = linear(names.key, heads, hidden);
  result.value = linear(names.value, heads, hidden);
  result.output = linear(names.output, hidden, heads);
  result.attention_norm = reader.Norm(absl::StrCat(layer, names.attention_norm), hidden);
  result.up = linear(names.up, weights.intermediate, hidden);
  weights.intermediate = result.up.weight.rows;  // the first layer says; the others must have the same
  result.down = linear(names.down, hidden, weights.intermediate);
  result.output_norm = reader.Norm(absl::StrCat(layer, names.output_norm), hidden);
  return result;
}

void FamilySource::ReadStack(const std::string& layers, const LayerNames& names, EncoderWeights& weights) {
  for (size_t i = 0; i < settings.layers; ++i) {
    weights.layers.push_back(ReadLayer(absl::StrCat(layers, ".", i, "."), names, weights));
    weights.order.push_back(i);
  }
}

void FamilySource::ReadHead(HeadRows rows, const std::vector<StepName>& steps, EncoderWeights& weights) {
  HeadWeights& result = weights.head;
  const size_t width = manifest.output_width();
  switch (manifest.task) {
    case Task::kSequenceClassification:
      result.rows = rows;
      for (const StepName& step : steps) {
        const size_t inputs = result.steps.empty() ? weights.hidden : result.steps.back().linear.weight.rows;
        const size_t outputs = &step == &steps.back() ? width : kAny;
        result.steps.push_back({reader.Linear(step.name, outputs, inputs), step.activation});
      }
      break;
    case Task::kTokenClassification:
      result.steps = {{reader.Linear(absl::StrCat(head, "classifier"), width, weights.hidden)}};
      break;
    case Task::kQuestionAnswering:
      result.steps = {{reader.Linear(absl::StrCat(head, "qa_outputs"), width, weights.hidden)}};
      break;
    case Task::kEmbeddings:
      break;
  }
}

}  // namespace bertha::models
