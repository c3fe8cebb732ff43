// BuildEncoder on made-up networks: every weight in its place, missing, misshapen or damaged.
#include "models/families/families.h"

#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/str_cat.h"
#include "models/fused_engine.h"
#include "tests/catch.h"
#include "tests/models/made_up_networks.h"
#include "tests/models/reference_encoder.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

using nlohmann::json;

Manifest ManifestOf(const std::string& family, Task task) { return ParsedManifest(ManifestJson(family, task)); }

EncoderWeights Built(NamedWeights weights, const Manifest& manifest) {
  absl::StatusOr<EncoderWeights> built = BuildEncoder(std::move(weights), manifest);
  REQUIRE(built.status() == absl::OkStatus());
  return *std::move(built);
}

std::string Refusal(NamedWeights weights, const Manifest& manifest) {
  const absl::Status status = BuildEncoder(std::move(weights), manifest).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

/// A text of one token and one of four.
struct TwoTexts {
  std::vector<int32_t> ids = {3, 2, 1, 7, 10}, type_ids = {0, 0, 1, 1, 0}, cu_seqlens = {0, 1, 5};
  batcher::PackedBatch batch() const { return {ids, type_ids, cu_seqlens}; }
};

TEST_CASE("EveryFamilyAndTaskIsReducedToOneEncoder") {
  for (const std::string family : kFamilyNames) {
    for (const Task task : kAllTasks) {
      CAPTURE(family, TaskName(task));
      const Manifest manifest = ManifestOf(family, task);
      const EncoderWeights weights = Built(RandomWeights(ShapesOf(family, task)), manifest);
      CHECK(weights.hidden == kHidden);
      CHECK(weights.heads == kHeads);
      CHECK(weights.head_size == 2);
      CHECK(weights.intermediate == kWide);
      CHECK(weights.max_length == (family == "xlnet" ? 8 : family == "roberta" ? kPositions - 2 : kPositions));
      CHECK(weights.order == (family == "albert" ? std::vector<size_t>{0, 0} : std::vector<size_t>{0, 1}));
      CHECK(weights.output_width() == manifest.output_width());
      const batcher::EncoderOutput output = ReferenceOutputs(weights, TwoTexts().batch());
      CHECK(output.rows == (manifest.row_per_token() ? 5 : 2));
      CHECK(output.width == manifest.output_width());
    }
  }
}

TEST_CASE("TheFusedEngineComputesEveryFamilyAndTaskOfOddSizes") {
  for (const std::string family : kFamilyNames) {
    for (const Task task : kAllTasks) {
      CAPTURE(family, TaskName(task));
      const EncoderWeights weights = Built(RandomWeights(ShapesOf(family, task)), ManifestOf(family, task));
      const batcher::EncoderOutput expected = ReferenceOutputs(weights, TwoTexts().batch());
      const FusedModel fused = FusedModel::Make(weights, Dtype::kFp32);
      for (const int threads : {1, 2}) {
        const auto encoder = fused.NewReplica(threads);
        batcher::EncoderOutput found;
        REQUIRE(encoder->Stage(TwoTexts().batch(), 0) == absl::OkStatus());
        REQUIRE(encoder->Run(0, found) == absl::OkStatus());
        REQUIRE(found.rows == expected.rows);
        REQUIRE(found.values.size() == expected.values.size());
        for (size_t i = 0; i < found.values.size(); ++i) {
          CHECK(found.values[i] == Approx(expected.values[i]).margin(1e-5));
        }
      }
    }
  }
}

TEST_CASE("EachMissingWeightIsNamed") {
  for (const std::string family : kFamilyNames) {
    for (const Task task : kAllTasks) {
      const Manifest manifest = ManifestOf(family, task);
      const NamedWeights all = RandomWeights(ShapesOf(family, task));
      for (const auto& [name, weight] : all) {
        NamedWeights weights = all;
        weights.erase(name);
        CAPTURE(family, TaskName(task), name);
        const bool words = name.ends_with("word_embeddings.weight") || name.ends_with("word_embedding.weight");
        CHECK_THAT(Refusal(weights, manifest), Catch::Contains("\" is missing, "));
        if (!words)
          CHECK_THAT(Refusal(weights, manifest), Catch::StartsWith("weight \"" + name + "\" is missing, exp"));
      }
    }
  }
}

TEST_CASE("EachWeightOfAnotherShapeIsNamedWithBothShapes") {
  for (const std::string family : kFamilyNames) {
    const Task task = Task::kSequenceClassification;
    const Manifest manifest = ManifestOf(family, task);
    const NamedWeights all = RandomWeights(ShapesOf(family, task));
    for (const auto& [name, weight] : all) {
      NamedWeights weights = all;
      weights[name].shape.push_back(1);
      CAPTURE(name);
      CHECK_THAT(Refusal(weights, manifest), Catch::StartsWith("weight \"" + name + "\" has shape ["));
      weights[name].shape = weight.shape;
      weights[name].shape.back() = 0;
      CHECK_THAT(Refusal(weights, manifest), Catch::StartsWith("weight \"" + name + "\" has shape ["));
    }
  }
}

TEST_CASE("EachWeightThatIsNotFiniteIsNamed") {
  for (const std::string family : kFamilyNames) {
    const Task task = Task::kSequenceClassification;
    const Manifest manifest = ManifestOf(family, task);
    const NamedWeights all = RandomWeights(ShapesOf(family, task));
    for (const auto& [name, weight] : all) {
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                              -std::numeric_limits<float>::infinity()}) {
        NamedWeights weights = all;
        const_cast<float*>(weights[name].data.get())[0] = bad;
        const std::string message = Refusal(weights, manifest);
        const_cast<float*>(weights[name].data.get())[0] = 1;
        CHECK_THAT(message, Catch::StartsWith("weight \"" + name + "\" of shape ["));
        CHECK_THAT(message, Catch::EndsWith("] has NaN or infinity, expected finite numbers"));
      }
    }
  }
}

TEST_CASE("AWeightThatNobodyAsksForIsNamed") {
  std::minstd_rand random(3);
  for (const std::string family : kFamilyNames) {
    for (const Task task : kAllTasks) {
      const Manifest manifest = ManifestOf(family, task);
      const std::vector<std::string> extras = {"other.weight",
                                               "model.adapter.weight",
                                               "model." + EncoderName(family) + "embeddings.adapter",
                                               "zzz",
                                               "model.old_word_embedding.weight",
                                               "model.old_embeddings.word_embeddings.weight"};
      for (const std::string& extra : extras) {
        NamedWeights weights = RandomWeights(ShapesOf(family, task));
        weights[extra] = RandomWeight({3, 2}, random);
        CHECK(Refusal(weights, manifest) ==
              "weight \"" + extra +
                  "\" of shape [3, 2] is none of this family and task: without it the answers would be "
                  "others");
      }
    }
  }
}

TEST_CASE("WhatNoForwardPassReadsMayBeThere") {
  for (const std::string family : kFamilyNames) {
    for (const Task task : kAllTasks) {
      CAPTURE(family, TaskName(task));
      const std::string encoder = task == Task::kEmbeddings ? "model." : "model." + EncoderName(family);
      NamedWeights weights = RandomWeights(ShapesOf(family, task));
      AddUnread(family, encoder, weights);
      std::minstd_rand random(4);
      const bool has_pooler = family == "bert" || family == "albert" || family == "roberta";
      if (has_pooler && (task != Task::kSequenceClassification || family == "roberta")) {
        weights[encoder + (family == "albert" ? "pooler.weight" : "pooler.dense.weight")] =
            RandomWeight({kHidden, kHidden}, random);
      }
      Built(weights, ManifestOf(family, task));
    }
  }
}

TEST_CASE("AnyPrefixWillDo") {
  for (const std::string family : kFamilyNames) {
    for (const Task task : kAllTasks) {
      for (const char* prefix : {"", "model.", "module.net."}) {
        CAPTURE(family, TaskName(task), prefix);
        Built(RandomWeights(ShapesOf(family, task, prefix)), ManifestOf(family, task));
      }
    }
  }
}

TEST_CASE("MessagesSayWhatWasExpected") {
  const Manifest manifest = ManifestOf("bert", Task::kSequenceClassification);
  const NamedWeights all = RandomWeights(ShapesOf("bert", Task::kSequenceClassification));
  std::minstd_rand random(5);
  auto with = [&](const std::string& name, const NamedWeight& weight) {
    NamedWeights weights = all;
    weights[name] = weight;
    return Refusal(weights, manifest);
  };
  auto without = [&](const std::string& name) {
    NamedWeights weights = all;
    weights.erase(name);
    return Refusal(weights, manifest);
  };
  CHECK(with("model.bert.encoder.layer.1.output.dense.weight", RandomWeight({kHidden, 7}, random)) ==
        "weight \"model.bert.encoder.layer.1.output.dense.weight\" has shape [4, 7], expected [4, 6]");
  CHECK(with("model.bert.encoder.layer.0.intermediate.dense.weight", RandomWeight({3, 3}, random)) ==
        "weight \"model.bert.encoder.layer.0.intermediate.dense.weight\" has shape [3, 3], expected [any, 4]");
  CHECK(with("model.bert.encoder.layer.1.intermediate.dense.weight", RandomWeight({7, 4}, random)) ==
        "weight \"model.bert.encoder.layer.1.intermediate.dense.weight\" has shape [7, 4], expected [6, 4]");
  CHECK(with("model.classifier.bias", {{2}, nullptr}) ==
        "weight \"model.classifier.bias\" of shape [2] has no floating-point numbers, expected fp32, bf16 or fp16");
  CHECK(with("model.classifier.weight", RandomWeight({3, 4}, random)) ==
        "weight \"model.classifier.weight\" has shape [3, 4], expected [2, 4]");
  CHECK(without("model.classifier.bias") == "weight \"model.classifier.bias\" is missing, expected with shape [2]");
  CHECK(without("model.bert.embeddings.word_embeddings.weight") ==
        "weight \"embeddings.word_embeddings.weight\" is missing, under any prefix");
  CHECK(with("a.embeddings.word_embeddings.weight", RandomWeight({3, 4}, random)) ==
        "weight \"model.bert.embeddings.word_embeddings.weight\" is there beside "
        "\"a.embeddings.word_embeddings.weight\", expected one network");
  CHECK_THAT(with("line\nbreak", RandomWeight({1}, random)), !Catch::Contains("\n"));
}

TEST_CASE("WeightsThatDoNotFitTheManifestAreRefused") {
  const Task task = Task::kSequenceClassification;
  auto refusal = [&](const std::string& family, const char* pointer, const json& value) {
    json content = ManifestJson(family, task);
    content[json::json_pointer(pointer)] = value;
    return Refusal(RandomWeights(ShapesOf(family, task)), ParsedManifest(content));
  };
  CHECK(refusal("bert", "/max_length", 11) == "bertha.json allows 11 tokens, and the weights have positions for 10");
  CHECK(refusal("roberta", "/max_length", 9) == "bertha.json allows 9 tokens, and the weights have positions for 8");
  CHECK(refusal("roberta", "/encoder/padding_id", 100) ==
        "bertha.json allows 8 tokens, and the weights have positions for 0");
  CHECK(refusal("bert", "/encoder/heads", 3) ==
        "bertha.json gives a layer 3 heads, which do not divide its hidden size 4");
  CHECK(refusal("bert", "/encoder/layers", 1).starts_with("weight \"model.bert.encoder.layer.1."));
  CHECK(refusal("bert", "/encoder/layers", 3).starts_with("weight \"model.bert.encoder.layer.2."));
  CHECK(refusal("xlnet", "/encoder/heads", 4) ==
        "weight \"model.transformer.layer.0.rel_attn.q\" has shape [4, 2, 2], expected [4, 4, 1]");
  CHECK(refusal("xlnet", "/inputs", {"input_ids", "attention_mask"}) ==
        "bertha.json names no token_type_ids, which XLNet's attention compares");
  json content = ManifestJson("bert", Task::kEmbeddings);
  content["dimension"] = 5;
  CHECK(Refusal(RandomWeights(ShapesOf("bert", Task::kEmbeddings)), ParsedManifest(content)) ==
        "bertha.json asks for 5 numbers a row, and the weights give 4");
}

TEST_CASE("AlbertsGroupsRunInTheirOrder") {
  const Task task = Task::kEmbeddings;
  auto order = [&](size_t groups, size_t inner, size_t layers) {
    Shapes shapes = ShapesOf("albert", task);
    const std::string at = "model.encoder.albert_layer_groups.";
    for (size_t group = 0; group < groups; ++group) {
      for (size_t i = 0; i < inner; ++i) {
        AddAlbertLayer(absl::StrCat(at, group, ".albert_layers.", i, "."), shapes);
      }
    }
    json content = ManifestJson("albert", task);
    content["encoder"]["layers"] = layers;
    const auto built = BuildEncoder(RandomWeights(shapes), ParsedManifest(content));
    return built.ok() ? built->order : std::vector<size_t>{99};
  };
  CHECK(order(1, 1, 0).empty());
  CHECK(order(1, 1, 3) == std::vector<size_t>{0, 0, 0});
  CHECK(order(2, 1, 4) == std::vector<size_t>{0, 0, 1, 1});
  CHECK(order(1, 2, 2) == std::vector<size_t>{0, 1, 0, 1});
  CHECK(order(2, 2, 2) == std::vector<size_t>{0, 1, 2, 3});
  CHECK(order(3, 1, 5) == std::vector<size_t>{0, 0, 1, 1, 2});
  CHECK(order(3, 1, 2) == std::vector<size_t>{99});
}

TEST_CASE("AModelWithoutTypeIdsHasTypeZeroEverywhere") {
  for (const std::string family : {"bert", "roberta", "albert"}) {
    const Task task = Task::kTokenClassification;
    json content = ManifestJson(family, task);
    const NamedWeights named = RandomWeights(ShapesOf(family, task));
    const EncoderWeights with = Built(named, ParsedManifest(content));
    content["inputs"].erase(2);
    const EncoderWeights without = Built(named, ParsedManifest(content));
    CHECK(without.embedding.types.empty());
    TwoTexts texts;
    const batcher::EncoderOutput found = ReferenceOutputs(without, texts.batch());
    texts.type_ids.assign(5, 0);
    const batcher::EncoderOutput expected = ReferenceOutputs(with, texts.batch());
    for (size_t i = 0; i < expected.values.size(); ++i) {
      CHECK(found.values[i] == Approx(expected.values[i]).margin(1e-5));
    }
  }
}

TEST_CASE("WhatIsReadOutlivesTheNames") {
  EncoderWeights weights;
  std::weak_ptr<const float> words;
  {
    NamedWeights named = RandomWeights(ShapesOf("bert", Task::kTokenClassification));
    words = named["model.bert.embeddings.word_embeddings.weight"].data;
    weights = Built(std::move(named), ManifestOf("bert", Task::kTokenClassification));
  }
  CHECK(words.lock().get() == weights.embedding.words.data);
  weights = {};
  CHECK(words.expired());
}

TEST_CASE("AModelOfWhichNothingIsKnownIsTorchScripts") {
  json content = GoodManifest();
  CHECK(
      BuildEncoder({}, ParsedManifest(content)).status() ==
      absl::FailedPreconditionError(
          "bertha.json has no encoder, which says what the weights do not, so only TorchScript can compute the model"));
  content["family"] = "torchscript";
  CHECK(BuildEncoder({}, ParsedManifest(content)).status() ==
        absl::FailedPreconditionError("family torchscript may be any network, so only TorchScript can compute it"));
}

TEST_CASE("FamiliesAreFoundByName") {
  for (const char* name : kFamilyNames) {
    REQUIRE(FindFamily(name));
    CHECK(FindFamily(name)->name == std::string(name));
  }
  CHECK(Families().size() == std::size(kFamilyNames));
  for (const char* name : {"", "torchscript", "ber", "berta"}) CHECK_FALSE(FindFamily(name));
}

}  // namespace
}  // namespace bertha::models
