#include "server/metrics/gpu_memory.h"

#include <utility>

#include "absl/status/statusor.h"

namespace bertha::server {
namespace {

GpuMemory::Devices Ask(const std::vector<ModelEntry>& models) {
  std::map<int, models::CudaDeviceInUse> in_use;
  for (const ModelEntry& entry : models) {
    if (!entry.model) continue;
    for (const models::CudaDeviceInUse& device : entry.model->cuda_devices) in_use.try_emplace(device.index(), device);
  }
  GpuMemory::Devices devices;
  for (const auto& [index, device] : in_use) {
    const absl::StatusOr<models::CudaMemory> memory = device.ReadMemory();
    if (memory.ok()) devices[index] = *memory;
  }
  return devices;
}

}  // namespace

bool GpuMemory::IsDue() {
  MutexLock lock(mutex_);
  const batcher::TimePoint now = clock_.Now();
  if (asking_ || (asked_ && now - *asked_ < kInterval)) return false;
  asked_ = now;
  asking_ = true;
  return true;
}

GpuMemory::Devices GpuMemory::Read(const std::vector<ModelEntry>& models) {
  if (IsDue()) {
    Devices told = Ask(models);
    MutexLock lock(mutex_);
    devices_ = std::move(told);
    asking_ = false;
  }
  MutexLock lock(mutex_);
  return devices_;
}

}  // namespace bertha::server
