// What a device does wrong, and what the engine makes of it. Only the emulated device does wrong on demand.
#include "models/cuda/device_list.h"
#include "tests/cuda/fake_cudart.h"
#include "tests/cuda/replica_support.h"

namespace bertha::cuda {
namespace {

using emulator::FakeDevice;
using emulator::TheDevice;
using models::CudaOutcome;
using Code = CudaOutcome::Code;

/// Puts the device back at the end of the test.
class Restore {
 public:
  ~Restore() {
    const size_t used = TheDevice().used;
    TheDevice() = FakeDevice();
    TheDevice().used = used;
  }
};

TEST_CASE("With less memory than asked for a replica takes smaller parts, and answers the same") {
  const models::EncoderWeights weights = MakeEncoder("bert", {.max_length = 32});
  const SmallBatch batch(weights, {32, 30, 1, 20, 20, 31, 2, 2, 32, 32, 32, 32});
  std::shared_ptr<const FusedModelState> state;
  RequireOk(MakeState(weights, Dtype::kFp32, {.max_tokens = 4096, .tune = false}, state));
  std::unique_ptr<models::CudaReplica> replica;
  const Restore restore;
  TheDevice().memory = TheDevice().used + kWorkspaceBytes + (400 << 10);
  RequireOk(FusedReplica::Create(state, replica));
  CHECK(replica->max_tokens() < 200);
  CHECK(replica->max_tokens() >= 32);
  CHECK(Difference(RunBatch(*replica, batch), Expected(weights, batch)) < 1e-4f);
}

TEST_CASE("Without memory for the longest sequence there is no replica, and nothing leaks") {
  const models::EncoderWeights weights = MakeEncoder("bert", {.layers = 1});
  const Restore restore;
  const size_t before = TheDevice().used;
  {
    std::shared_ptr<const FusedModelState> state;
    RequireOk(MakeState(weights, Dtype::kFp32, {.tune = false}, state));
    TheDevice().memory = TheDevice().used + kWorkspaceBytes + 1000;
    std::unique_ptr<models::CudaReplica> replica;
    const CudaOutcome outcome = FusedReplica::Create(state, replica);
    CHECK(outcome.code == Code::kOutOfMemory);
    CHECK(outcome.message == "memory for activations: out of memory");
    TheDevice().memory = TheDevice().used + 1000;
    CHECK(MakeState(weights, Dtype::kFp32, {.tune = false}, state).code == Code::kOutOfMemory);
  }
  CHECK(TheDevice().used == before);
}

TEST_CASE("Where graphs cannot be captured, kernels are launched one by one") {
  const Restore restore;
  TheDevice().captures = false;
  const models::EncoderWeights weights = MakeEncoder("bert", {.layers = 1});
  const auto replica = MakeReplica(weights, Dtype::kFp32);
  const SmallBatch batch(weights, {9});
  for (int i = 0; i < 3; ++i) CHECK(Difference(RunBatch(*replica, batch), Expected(weights, batch)) < 1e-4f);
  CHECK(TheDevice().graph_launches == 0);
}

TEST_CASE("Small batches launch graphs, larger ones do not") {
  const models::EncoderWeights weights = MakeEncoder("bert", {.layers = 1});
  const auto replica = MakeReplica(weights, Dtype::kFp32, {.graph_tokens = 32, .tune = false});
  const size_t before = TheDevice().graph_launches;
  for (int i = 0; i < 3; ++i) RunBatch(*replica, SmallBatch(weights, {33}));
  CHECK(TheDevice().graph_launches == before);
  for (int i = 0; i < 3; ++i) RunBatch(*replica, SmallBatch(weights, {32}));
  CHECK(TheDevice().graph_launches == before + 2);
}

TEST_CASE("An error that stays is a lost device, another one is this batch's") {
  const models::EncoderWeights weights = MakeEncoder("bert", {.layers = 1});
  const auto replica = MakeReplica(weights, Dtype::kFp32);
  const SmallBatch batch(weights, {9});
  RequireOk(replica->Stage({batch.ids, batch.type_ids, batch.cu_seqlens}, 0));
  const Restore restore;
  std::vector<float> values;
  TheDevice().broken = cudaErrorIllegalAddress;
  CHECK(replica->Run(0, values).code == Code::kDeviceLost);
  CHECK(values.empty());
  TheDevice().broken = cudaErrorInvalidConfiguration;
  CHECK(replica->Run(0, values).code == Code::kInternal);
  TheDevice().broken = cudaSuccess;
  CHECK(Difference(RunBatch(*replica, batch), Expected(weights, batch)) < 1e-4f);
}

TEST_CASE("The memory that is taken is told until the device is lost") {
  const Restore restore;
  models::CudaMemory memory;
  RequireOk(ReadMemory(0, memory));
  CHECK(memory.total_bytes == TheDevice().memory);
  CHECK(memory.used_bytes == TheDevice().used);
  CHECK(ReadMemory(1, memory).code == Code::kUnavailable);
  TheDevice().broken = cudaErrorIllegalAddress;
  CHECK(ReadMemory(0, memory).code == Code::kDeviceLost);
}

TEST_CASE("What is missing is said: driver, device, the device asked for, a new enough one") {
  const Restore restore;
  std::vector<models::CudaDevice> devices;
  RequireOk(ListDevices(devices));
  REQUIRE(devices.size() == 1);
  CHECK(devices[0].name == "emulated");
  CHECK(UseDevice(1).message == "there is no CUDA device 1, only 0 to 0");
  TheDevice().major = 7;
  CHECK(UseDevice(0).message == "emulated has compute capability 7.0, 7.5 is needed");
  TheDevice().minor = 5;
  RequireOk(UseDevice(0));
  TheDevice().count_error = cudaErrorInsufficientDriver;
  CHECK(ListDevices(devices).message == "there is no NVIDIA driver here (libcuda.so.1)");
  TheDevice().count_error = cudaErrorNoDevice;
  const CudaOutcome none = UseDevice(0);
  CHECK(none.code == Code::kUnavailable);
  CHECK(none.message.find("shows no CUDA device") != std::string::npos);
}

}  // namespace
}  // namespace bertha::cuda
