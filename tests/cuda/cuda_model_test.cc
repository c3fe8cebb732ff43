// Packages loaded for `device: cuda`. The plug-in beside this program is the emulated one.
#include "models/cuda_model.h"

#include <string>

#include "models/model.h"
#include "tests/catch.h"

namespace bertha::models {
namespace {

absl::StatusOr<Model> Load(const std::string& family, const EngineOptions& options) {
  return LoadModel(std::string(BERTHA_DEMO_MODELS "/sentiment-") + family + "/1", options);
}

TEST_CASE("A package is served by the fused engine on the device, and its probes agree", "[slow]") {
  for (const char* family : {"bert", "xlnet"}) {
    CAPTURE(family);
    const absl::StatusOr<Model> model =
        Load(family, {.dtype = "auto", .device = "cuda", .batch_tokens = 256, .replicas = 1});
    INFO(model.status());
    REQUIRE(model.ok());
    const batcher::EncoderDescription& description = model->replicas[0]->Describe();
    CHECK(description.engine == "fused");
    CHECK(description.device == "cuda:0");
    CHECK(description.dtype == "bf16");
    CHECK(model->refused.empty());
    CHECK(model->probes.flips == 0);
    REQUIRE(model->cuda_devices.size() == 1);
    CHECK(model->cuda_devices[0].index() == 0);
    CHECK(model->cuda_devices[0].ReadMemory()->used_bytes > model->weight_bytes);
    CHECK(model->probes.max_abs_diff > 0);
    CHECK(model->probes.max_abs_diff < 0.01f);
  }
}

TEST_CASE("A device that is not there, or is none, is named") {
  const absl::Status missing = Load("bert", {.device = "cuda:5"}).status();
  CHECK(missing.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(missing.message().find("device cuda:5: there are 1 CUDA devices") != std::string::npos);
  CHECK(Load("bert", {.device = "gpu"}).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Without the plug-in that it needs TorchScript on CUDA is refused with the library's name") {
  const absl::Status status = Load("bert", {.engine = EngineChoice::kTorchScript, .device = "cuda"}).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(status.message().find("libbertha_torch_cuda.so cannot be opened") != std::string::npos);
}

}  // namespace
}  // namespace bertha::models
