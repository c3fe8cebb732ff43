// Opening plug-ins: one that runs on the emulated device, and all that can be wrong.
#include "models/cuda_engine.h"

#include <cmath>

#include "tests/catch.h"
#include "tests/cuda/small_encoder.h"
#include "tests/models/reference_encoder.h"

namespace bertha::models {
namespace {

TEST_CASE("A plug-in's replica is an encoder of the batcher") {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(EMULATED_PLUGIN);
  REQUIRE(engine.status() == absl::OkStatus());
  REQUIRE(engine->devices().size() == 1);
  const EncoderWeights weights = cuda::MakeEncoder("bert", {});
  const auto model =
      engine->NewModel({.weights = &weights}, {.dtype = CudaDtype::kFp32, .tune = false}, DescribeFused(weights));
  REQUIRE(model.status() == absl::OkStatus());
  CHECK(model->weight_bytes() > 100000);
  const auto encoder = model->NewReplica();
  REQUIRE(encoder.status() == absl::OkStatus());
  const batcher::EncoderDescription& description = (*encoder)->Describe();
  CHECK(description.engine == "fused");
  CHECK(description.device == "cuda:0");
  CHECK(description.dtype == "fp32");
  CHECK(description.max_sequence_length == 96);
  CHECK(description.output_width == 3);
  CHECK_FALSE(description.row_per_token);
  CHECK_FALSE(description.pads);

  const cuda::SmallBatch batch(weights, {20, 3});
  const batcher::PackedBatch packed = {batch.ids, batch.type_ids, batch.cu_seqlens};
  REQUIRE((*encoder)->Stage(packed, 1) == absl::OkStatus());
  batcher::EncoderOutput output;
  REQUIRE((*encoder)->Run(1, output) == absl::OkStatus());
  const batcher::EncoderOutput expected = ReferenceOutputs(weights, packed);
  REQUIRE((output.rows == 2 && output.width == 3 && output.values.size() == 6));
  for (size_t i = 0; i < 6; ++i) CHECK(std::fabs(output.values[i] - expected.values[i]) < 1e-4f);
}

TEST_CASE("A device that a model is on says how much of its memory is taken") {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(EMULATED_PLUGIN);
  REQUIRE(engine.ok());
  const CudaDeviceInUse device = engine->DeviceInUse(0);
  const absl::StatusOr<CudaMemory> before = device.ReadMemory();
  REQUIRE(before.status() == absl::OkStatus());
  CHECK(before->total_bytes == engine->devices()[0].total_bytes);
  const EncoderWeights weights = cuda::MakeEncoder("bert", {});
  const auto model = engine->NewModel({.weights = &weights}, {.tune = false}, DescribeFused(weights));
  REQUIRE(model.ok());
  CHECK(device.ReadMemory()->used_bytes >= before->used_bytes + model->weight_bytes());
  CHECK(engine->DeviceInUse(3).ReadMemory().status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("A batch that the engine refuses is INTERNAL, and no lost device") {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(EMULATED_PLUGIN);
  REQUIRE(engine.ok());
  const EncoderWeights weights = cuda::MakeEncoder("bert", {});
  const auto model = engine->NewModel({.weights = &weights}, {.tune = false}, DescribeFused(weights));
  REQUIRE(model.ok());
  const auto encoder = model->NewReplica();
  REQUIRE(encoder.ok());
  const std::vector<int32_t> ids = {1000}, types = {0}, cu_seqlens = {0, 1};
  const absl::Status status = (*encoder)->Stage({ids, types, cu_seqlens}, 0);
  CHECK(status == absl::InternalError("sequence 0: token id 1000, the vocabulary has 97"));
  CHECK_FALSE(IsDeviceLost(status));
}

TEST_CASE("A model that the plug-in cannot have is refused with its reason") {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(EMULATED_PLUGIN);
  REQUIRE(engine.ok());
  const EncoderWeights weights = cuda::MakeEncoder("bert", {});
  CHECK(engine->NewModel({.weights = &weights}, {.device = 3}, DescribeFused(weights)).status() ==
        absl::FailedPreconditionError("there is no CUDA device 3, only 0 to 0"));
  CHECK(engine->NewModel({}, {}, {}).status() ==
        absl::FailedPreconditionError("the fused engine needs an encoder's weights"));
}

TEST_CASE("A library that is missing, is no plug-in, or is of another version is named in one line") {
  const absl::Status missing = CudaEngine::Open("libbertha_no_such.so").status();
  CHECK(missing.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(missing.message().find("device cuda: libbertha_no_such.so cannot be opened: ") == 0);
  CHECK(missing.message().find('\n') == std::string::npos);
  CHECK(CudaEngine::Open("libm.so.6").status() ==
        absl::FailedPreconditionError("device cuda: libm.so.6 is no plug-in of this program"));
  const absl::Status foreign = CudaEngine::Open(FOREIGN_PLUGIN).status();
  CHECK(foreign.message().find("is a plug-in of version 3, this program takes 2") != std::string::npos);
}

TEST_CASE("The real plug-in opens where its libraries are, and says what else is missing") {
  const absl::StatusOr<CudaEngine> engine = CudaEngine::Open(REAL_PLUGIN);
  if (engine.ok()) {
    CHECK_FALSE(engine->devices().empty());
  } else {
    INFO(engine.status());
    CHECK(engine.status().message().find("device cuda: ") == 0);
    CHECK((engine.status().message().find("driver") != std::string::npos));
  }
}

TEST_CASE("The device setting names devices") {
  CHECK_FALSE(ParseDevice("cpu")->cuda);
  CHECK(ParseDevice("cuda")->cuda);
  CHECK(ParseDevice("cuda")->indices.empty());
  CHECK(ParseDevice("cuda:1")->indices == std::vector<int>{1});
  CHECK(ParseDevice("cuda:0,2")->indices == std::vector<int>{0, 2});
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0,", "cudax", "cpu:0"}) {
    CHECK(ParseDevice(wrong).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace bertha::models
