#include "models/cuda/device_list.h"

#include <cuda_runtime_api.h>

#include <string>

#include "models/kernels/cuda/outcome.h"

namespace bertha::cuda {
namespace {

using models::CudaDevice;
using models::CudaOutcome;
using Code = CudaOutcome::Code;

CudaOutcome CountDevices(int& count) {
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    int driver = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      return {Code::kUnavailable, "there is no NVIDIA driver here (libcuda.so.1)"};
    }
    return {Code::kUnavailable, "the NVIDIA driver is for CUDA " + std::to_string(driver / 1000) + "." +
                                    std::to_string(driver % 1000 / 10) + ", this program needs " +
                                    std::to_string(CUDART_VERSION / 1000) + ".0 or newer"};
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    return {Code::kUnavailable, "the NVIDIA driver shows no CUDA device (CUDA_VISIBLE_DEVICES, container settings?)"};
  }
  return Outcome(error, "looking for CUDA devices");
}

CudaOutcome Describe(int index, CudaDevice& device) {
  cudaDeviceProp properties;
  CudaOutcome outcome = Outcome(cudaGetDeviceProperties(&properties, index), "asking for a device's properties");
  if (!outcome.ok()) return outcome;
  device = {.index = index, .name = properties.name, .major = properties.major, .minor = properties.minor};
  models::CudaMemory memory;
  outcome = ReadMemory(index, memory);
  device.total_bytes = memory.total_bytes;
  device.free_bytes = memory.total_bytes - memory.used_bytes;
  return outcome;
}

}  // namespace

CudaOutcome ListDevices(std::vector<CudaDevice>& devices) {
  devices.clear();
  int count = 0;
  CudaOutcome outcome = CountDevices(count);
  for (int i = 0; outcome.ok() && i < count; ++i) outcome = Describe(i, devices.emplace_back());
  return outcome;
}

CudaOutcome UseDevice(int index) {
  int count = 0;
  if (CudaOutcome outcome = CountDevices(count); !outcome.ok()) return outcome;
  if (index < 0 || index >= count) {
    return {Code::kUnavailable,
            "there is no CUDA device " + std::to_string(index) + ", only 0 to " + std::to_string(count - 1)};
  }
  CudaDevice device;
  if (CudaOutcome outcome = Describe(index, device); !outcome.ok()) return outcome;
  if (device.major * 10 + device.minor < 75) {
    return {Code::kUnavailable, device.name + " has compute capability " + std::to_string(device.major) + "." +
                                    std::to_string(device.minor) + ", 7.5 is needed"};
  }
  return Outcome(cudaSetDevice(index), "choosing the device");
}

CudaOutcome ReadMemory(int device, models::CudaMemory& memory) {
  if (CudaOutcome outcome = Outcome(cudaSetDevice(device), "choosing the device"); !outcome.ok()) return outcome;
  size_t free_bytes = 0, total_bytes = 0;
  CudaOutcome outcome = Outcome(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for a device's memory");
  if (outcome.ok()) memory = {.used_bytes = total_bytes - free_bytes, .total_bytes = total_bytes};
  return outcome;
}

}  // namespace bertha::cuda
