#include "tests/models/made_up_networks.h"

#include <functional>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

void AddLinear(const std::string& name, size_t outputs, size_t inputs, Shapes& shapes) {
  shapes[name + ".weight"] = {outputs, inputs};
  shapes[name + ".bias"] = {outputs};
}

void AddNorm(const std::string& name, size_t size, Shapes& shapes) {
  shapes[name + ".weight"] = shapes[name + ".bias"] = {size};
}

void AddEmbedding(const std::string& at, size_t width, bool types, Shapes& shapes) {
  shapes[at + "word_embeddings.weight"] = {kWords, width};
  shapes[at + "position_embeddings.weight"] = {kPositions, width};
  if (types) shapes[at + "token_type_embeddings.weight"] = {kTypes, width};
  AddNorm(at + "LayerNorm", width, shapes);
}

/// `names` in the order of models/families/family_source.h.
void AddLayer(const std::string& at, const std::vector<std::string>& names, Shapes& shapes) {
  for (size_t i = 0; i < 4; ++i) AddLinear(at + names[i], kHidden, kHidden, shapes);
  AddNorm(at + names[4], kHidden, shapes);
  AddLinear(at + names[5], kWide, kHidden, shapes);
  AddLinear(at + names[6], kHidden, kWide, shapes);
  AddNorm(at + names[7], kHidden, shapes);
}

void AddXlnetLayer(const std::string& at, Shapes& shapes) {
  for (const char* name : {"q", "k", "v", "o", "r"}) shapes[at + "rel_attn." + name] = {kHidden, kHeads, 2};
  for (const char* name : {"r_r_bias", "r_s_bias", "r_w_bias"}) shapes[at + "rel_attn." + name] = {kHeads, 2};
  shapes[at + "rel_attn.seg_embed"] = {2, kHeads, 2};
  AddNorm(at + "rel_attn.layer_norm", kHidden, shapes);
  AddLinear(at + "ff.layer_1", kWide, kHidden, shapes);
  AddLinear(at + "ff.layer_2", kHidden, kWide, shapes);
  AddNorm(at + "ff.layer_norm", kHidden, shapes);
}

void AddEncoder(const std::string& family, const std::string& at, Shapes& shapes) {
  if (family == "xlnet") {
    shapes[at + "word_embedding.weight"] = {kWords, kHidden};
    for (const char* i : {"0", "1"}) AddXlnetLayer(absl::StrCat(at, "layer.", i, "."), shapes);
    return;
  }
  const bool albert = family == "albert";
  AddEmbedding(at + "embeddings.", albert ? kNarrow : kHidden, family != "distilbert", shapes);
  if (albert) {
    AddLinear(at + "encoder.embedding_hidden_mapping_in", kHidden, kNarrow, shapes);
    AddAlbertLayer(at + "encoder.albert_layer_groups.0.albert_layers.0.", shapes);
    return;
  }
  for (const char* i : {"0", "1"}) {
    if (family == "distilbert") {
      AddLayer(absl::StrCat(at, "transformer.layer.", i, "."),
               {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm",
                "ffn.lin1", "ffn.lin2", "output_layer_norm"},
               shapes);
    } else {
      AddLayer(absl::StrCat(at, "encoder.layer.", i, "."),
               {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"},
               shapes);
    }
  }
}

}  // namespace

void AddAlbertLayer(const std::string& at, Shapes& shapes) {
  AddLayer(at,
           {"attention.query", "attention.key", "attention.value", "attention.dense", "attention.LayerNorm", "ffn",
            "ffn_output", "full_layer_layer_norm"},
           shapes);
}

std::string EncoderName(const std::string& family) { return (family == "xlnet" ? "transformer" : family) + "."; }

Shapes ShapesOf(const std::string& family, Task task, const std::string& prefix) {
  Shapes shapes;
  if (task == Task::kEmbeddings) {
    AddEncoder(family, prefix, shapes);
    return shapes;
  }
  const std::string encoder = prefix + EncoderName(family);
  AddEncoder(family, encoder, shapes);
  if (task == Task::kQuestionAnswering) AddLinear(prefix + "qa_outputs", 2, kHidden, shapes);
  if (task == Task::kTokenClassification) AddLinear(prefix + "classifier", 3, kHidden, shapes);
  if (task != Task::kSequenceClassification) return shapes;
  const std::map<std::string, std::pair<std::string, std::string>> heads = {
      {"bert", {encoder + "pooler.dense", prefix + "classifier"}},
      {"roberta", {prefix + "classifier.dense", prefix + "classifier.out_proj"}},
      {"distilbert", {prefix + "pre_classifier", prefix + "classifier"}},
      {"xlnet", {prefix + "sequence_summary.summary", prefix + "logits_proj"}},
      {"albert", {encoder + "pooler", prefix + "classifier"}}};
  AddLinear(heads.at(family).first, kHidden, kHidden, shapes);
  AddLinear(heads.at(family).second, 2, kHidden, shapes);
  return shapes;
}

NamedWeight RandomWeight(const std::vector<size_t>& shape, std::minstd_rand& random) {
  const size_t size = std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
  auto values = std::make_shared<std::vector<float>>(size);
  for (float& value : *values) value = 0.1f + static_cast<float>(random() % 1000) / 1000;
  return {shape, std::shared_ptr<const float>(values, values->data())};
}

NamedWeights RandomWeights(const Shapes& shapes) {
  std::minstd_rand random(1);
  NamedWeights weights;
  for (const auto& [name, shape] : shapes) weights[name] = RandomWeight(shape, random);
  return weights;
}

void AddUnread(const std::string& family, const std::string& encoder, NamedWeights& weights) {
  std::minstd_rand random(2);
  if (family == "xlnet") {
    weights[encoder + "mask_emb"] = RandomWeight({1, 1, kHidden}, random);
    return;
  }
  weights[encoder + "embeddings.position_ids"] = {{1, kPositions}, nullptr};
  if (family != "distilbert") weights[encoder + "embeddings.token_type_ids"] = {{1, kPositions}, nullptr};
}

nlohmann::json ManifestJson(const std::string& family, Task task) {
  nlohmann::json content = GoodManifest(task);
  content["family"] = family;
  content["encoder"] = {{"heads", kHeads}, {"layers", 2}, {"activation", "gelu"}, {"layer_norm_epsilon", 1e-12}};
  if (family == "roberta") content["encoder"]["padding_id"] = 1;
  if (family == "xlnet" && task == Task::kSequenceClassification) content["encoder"]["summary_activation"] = "tanh";
  if (task == Task::kEmbeddings) content["dimension"] = kHidden;
  return content;
}

}  // namespace bertha::models
