// Whole packages: what BuildEncoder makes of their weights, computed by the reference, against TorchScript and the
// fused engine.
#include <cmath>
#include <cstdlib>
#include <random>

#include "models/families/families.h"
#include "models/fused_engine.h"
#include "models/package_contents.h"
#include "models/torchscript_engine.h"
#include "tests/catch.h"
#include "tests/models/reference_encoder.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;

/// Every package of the demo, or of the directory that BERTHA_TEST_MODELS names.
std::vector<std::string> PackagesOfFamilies() {
  const char* models = std::getenv("BERTHA_TEST_MODELS");
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(models ? models : BERTHA_DEMO_MODELS)) {
    if (entry.path().filename() == kManifestFile) found.push_back(entry.path().parent_path());
  }
  std::ranges::sort(found);
  return found;
}

struct Loaded {
  Manifest manifest;
  std::unique_ptr<batcher::Encoder> torchscript;
  EncoderWeights weights;
};

Loaded Load(const std::string& dir) {
  absl::StatusOr<PackageContents> contents = ReadPackage(dir);
  INFO(contents.status().ToString());
  REQUIRE(contents.ok());
  auto file = contents->files.OpenFile(kModuleFile);
  REQUIRE(file.ok());
  const absl::StatusOr<TorchScriptModule> module = TorchScriptModule::Load(*std::move(file), contents->manifest);
  REQUIRE(module.status() == absl::OkStatus());
  absl::StatusOr<EncoderWeights> weights = BuildEncoder(module->LiftWeights(), contents->manifest);
  REQUIRE(weights.status() == absl::OkStatus());
  return {contents->manifest, module->NewReplica(1), *std::move(weights)};
}

/// Random texts of these lengths. Some ids are RoBERTa's padding; a text's second half is of another type.
struct Texts {
  Texts(const std::vector<size_t>& lengths, const Loaded& model) {
    std::minstd_rand random(static_cast<unsigned>(lengths.size() * 1000 + lengths[0]));
    const EmbeddingWeights& embedding = model.weights.embedding;
    const size_t types = embedding.types.empty() ? 3 : embedding.types.rows;
    for (const size_t length : lengths) {
      for (size_t i = 0; i < length; ++i) {
        ids.push_back(random() % 5 == 0 ? model.manifest.encoder->padding_id
                                        : static_cast<int32_t>(random() % embedding.words.rows));
        type_ids.push_back(static_cast<int32_t>((2 * i / length + (i + 1 == length)) % types));
      }
      cu_seqlens.push_back(static_cast<int32_t>(ids.size()));
    }
  }
  batcher::PackedBatch batch() const { return {ids, type_ids, cu_seqlens}; }
  std::vector<int32_t> ids, type_ids, cu_seqlens = {0};
};

/// Of outputs, from the reference's, over texts of one token up to as many as the model takes, alone and in batches.
float LargestDifference(batcher::Encoder& encoder, const Loaded& model) {
  float largest = 0;
  for (const std::vector<size_t>& lengths :
       std::vector<std::vector<size_t>>{{1}, {2}, {17}, {model.manifest.max_length}, {3, 1, 17, 2}, {9, 30, 30, 1}}) {
    const Texts texts(lengths, model);
    batcher::EncoderOutput found;
    REQUIRE(encoder.Stage(texts.batch(), 0) == absl::OkStatus());
    REQUIRE(encoder.Run(0, found) == absl::OkStatus());
    const batcher::EncoderOutput expected = ReferenceOutputs(model.weights, texts.batch());
    REQUIRE(found.rows == expected.rows);
    REQUIRE(found.width == expected.width);
    for (size_t i = 0; i < found.values.size(); ++i) {
      REQUIRE(std::isfinite(found.values[i]));
      largest = std::max(largest, std::abs(found.values[i] - expected.values[i]));
    }
  }
  return largest;
}

TEST_CASE("LiftedWeightsGiveTheAnswersOfTorchScriptAndOfTheFusedEngine") {
  for (const std::string& dir : PackagesOfFamilies()) {
    CAPTURE(dir);
    const Loaded model = Load(dir);
    CHECK(LargestDifference(*model.torchscript, model) <= 1e-5f);
    const FusedModel fused = FusedModel::Make(model.weights, Dtype::kFp32);
    CHECK(LargestDifference(*fused.NewReplica(2), model) <= 1e-5f);
  }
}

}  // namespace
}  // namespace bertha::models
