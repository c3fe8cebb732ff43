// A plug-in with one device that needs none: computes what the network of e2e_slow.py does, is lost when it meets the
// token BERTHA_TEST_LOSE_TOKEN, and does not return from BERTHA_TEST_HANG_TOKEN.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

#include "models/cuda_plugin.h"

namespace bertha::models {
namespace {

int32_t TokenOf(const char* variable) {
  const char* text = std::getenv(variable);
  return text ? std::atoi(text) : -1;
}

std::atomic<bool> lost = false;

class Replica final : public CudaReplica {
 public:
  CudaOutcome Stage(const CudaBatch& batch, int slot) override {
    rows_[slot].clear();
    for (size_t i = 0; i < batch.size(); ++i) {
      rows_[slot].emplace_back(batch.ids.begin() + batch.cu_seqlens[i], batch.ids.begin() + batch.cu_seqlens[i + 1]);
    }
    return {};
  }

  CudaOutcome Run(int slot, std::vector<float>& values) override {
    values.clear();
    for (const std::vector<int32_t>& row : rows_[slot]) {
      if (Has(row, TokenOf("BERTHA_TEST_HANG_TOKEN"))) pause();
      if (lost || Has(row, TokenOf("BERTHA_TEST_LOSE_TOKEN"))) {
        lost = true;
        return {CudaOutcome::Code::kDeviceLost, "an illegal memory access was encountered"};
      }
      int64_t sum = 0;
      for (const int32_t id : row) sum += id;
      values.push_back(static_cast<float>(sum % 16));
      values.push_back(1 - static_cast<float>(sum % 16));
    }
    return {};
  }
  size_t device_bytes() const override { return 0; }
  size_t max_tokens() const override { return 8192; }

 private:
  static bool Has(const std::vector<int32_t>& row, int32_t id) { return std::ranges::find(row, id) != row.end(); }

  std::vector<std::vector<int32_t>> rows_[kSlots];
};

class Model final : public CudaModel {
 public:
  CudaOutcome NewReplica(std::unique_ptr<CudaReplica>& replica) override {
    replica = std::make_unique<Replica>();
    return {};
  }
  size_t weight_bytes() const override { return 0; }
  const char* dtype() const override { return "fp32"; }
};

class Plugin final : public CudaPlugin {
 public:
  CudaOutcome ListDevices(std::vector<CudaDevice>& devices) override {
    devices = {{.index = 0, .name = "none"}};
    return {};
  }
  CudaOutcome NewModel(const CudaModelSource&, const CudaModelOptions&, std::unique_ptr<CudaModel>& model) override {
    model = std::make_unique<Model>();
    return {};
  }
  CudaOutcome ReadMemory(int, CudaMemory& memory) override {
    if (lost) return {CudaOutcome::Code::kDeviceLost, "an illegal memory access was encountered"};
    memory = {.used_bytes = 3 << 20, .total_bytes = 8 << 20};
    return {};
  }
};

Plugin plugin;

}  // namespace
}  // namespace bertha::models

extern "C" bertha::models::CudaPluginEntry bertha_cuda_plugin;
bertha::models::CudaPluginEntry bertha_cuda_plugin = {.plugin = &bertha::models::plugin};
