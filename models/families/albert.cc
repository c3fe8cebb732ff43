// ALBERT, Lan et al., 2020: narrow embeddings that are projected to the hidden size, and layers that share their
// weights.
#include "absl/strings/str_cat.h"
#include "models/families/family_source.h"

namespace bertha::models {
namespace {

constexpr LayerNames kLayer = {"attention.query",     "attention.key", "attention.value", "attention.dense",
                               "attention.LayerNorm", "ffn",           "ffn_output",      "full_layer_layer_norm"};

/// The layers of a group run one after the other, and a group several times before the next one does; usually there is
/// one group of one layer.
void ReadGroups(FamilySource& source, EncoderWeights& weights) {
  const std::string groups = absl::StrCat(source.prefix, "encoder.albert_layer_groups.");
  std::vector<std::vector<size_t>> members;
  auto layer = [&](size_t group, size_t i) { return absl::StrCat(groups, group, ".albert_layers.", i, "."); };
  auto exists = [&](size_t group, size_t i) { return source.reader.Has(layer(group, i)); };
  for (size_t group = 0; exists(group, 0); ++group) {
    members.emplace_back();
    for (size_t i = 0; exists(group, i); ++i) {
      members.back().push_back(weights.layers.size());
      weights.layers.push_back(source.ReadLayer(layer(group, i), kLayer, weights));
    }
  }
  if (source.settings.layers == 0) return;
  if (members.empty() || members.size() > source.settings.layers) {
    source.reader.Fail(absl::StrCat("weights of ", members.size(), " layer groups below \"", groups,
                                    "\", expected 1 to ", source.settings.layers, ", the layers in bertha.json"));
    return;
  }
  const double runs = static_cast<double>(source.settings.layers) / static_cast<double>(members.size());
  for (size_t i = 0; i < source.settings.layers; ++i) {
    const auto group = static_cast<size_t>(static_cast<double>(i) / runs);
    weights.order.insert(weights.order.end(), members[group].begin(), members[group].end());
  }
}

}  // namespace

void ReadAlbert(FamilySource& source, EncoderWeights& weights) {
  source.ReadEmbedding(/*with_types=*/true, weights);
  LinearWeights& projection = weights.embedding.projection;
  projection = source.reader.Linear(absl::StrCat(source.prefix, "encoder.embedding_hidden_mapping_in"), kAny,
                                    weights.embedding.words.columns);
  weights.hidden = projection.weight.rows;
  source.SplitHeads(weights);
  ReadGroups(source, weights);
  const std::string pooler = absl::StrCat(source.prefix, "pooler");
  source.ReadHead(HeadRows::kFirst, {{pooler, Activation::kTanh}, {absl::StrCat(source.head, "classifier")}}, weights);
  source.reader.Ignore(absl::StrCat(pooler, "."));
}

}  // namespace bertha::models
