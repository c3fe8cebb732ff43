// Owners of what CUDA gives: memory on the device, pinned memory, streams, events.
//
// Thread-safety: as that of plain values. The device must be current when one is made; any may be when it goes.
#ifndef BERTHA_MODELS_CUDA_DEVICE_MEMORY_H_
#define BERTHA_MODELS_CUDA_DEVICE_MEMORY_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

#include "models/kernels/cuda/outcome.h"

namespace bertha::cuda {

/// `Free` gives back what `T` is a handle of.
template <class T, cudaError_t (*Free)(T)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(T handle) : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, T())) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() {
    if (handle_) Free(handle_);
  }
  T get() const { return handle_; }
  T* put() { return &handle_; }

 private:
  T handle_ = T();
};

using Stream = Handle<cudaStream_t, cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, cudaEventDestroy>;
using Graph = Handle<cudaGraph_t, cudaGraphDestroy>;
using GraphExec = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;

/// Memory that only grows; what it held is lost when it does.
template <cudaError_t (*Allocate)(void**, size_t), cudaError_t (*Free)(void*)>
class Buffer {
 public:
  models::CudaOutcome Reserve(size_t bytes, const char* what) {
    if (bytes <= bytes_) return {};
    memory_ = Memory();
    bytes_ = 0;
    const cudaError_t error = Allocate(memory_.put(), bytes);
    if (error != cudaSuccess) return Outcome(error, what);
    bytes_ = bytes;
    return {};
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_.get());
  }
  size_t bytes() const { return bytes_; }

 private:
  using Memory = Handle<void*, Free>;
  Memory memory_;
  size_t bytes_ = 0;
};

inline cudaError_t AllocateDevice(void** memory, size_t bytes) { return cudaMalloc(memory, bytes); }
inline cudaError_t AllocatePinned(void** memory, size_t bytes) { return cudaMallocHost(memory, bytes); }
using DeviceBuffer = Buffer<AllocateDevice, cudaFree>;
using PinnedBuffer = Buffer<AllocatePinned, cudaFreeHost>;

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_DEVICE_MEMORY_H_
