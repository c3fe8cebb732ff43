#include "tests/cuda/fake_cudart.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/cuda/emulator.h"

using Work = std::function<void()>;

// CUDA's handles are pointers to structures that it keeps to itself; these are ours.
struct CUstream_st {
  std::deque<Work> queue;
  cudaGraph_t capturing = nullptr;
};
struct CUevent_st {
  CUstream_st* stream = nullptr;
  size_t recorded = 0, reached = 0;
};
struct CUgraph_st {
  std::vector<Work> nodes;
};
struct CUgraphExec_st {
  std::vector<Work> nodes;
};

namespace bertha::emulator {
namespace {

std::set<cudaStream_t> streams;
std::map<void*, size_t> allocations;

cudaStream_t TheLegacyStream() {
  static cudaStream_t stream = *streams.insert(new CUstream_st).first;
  return stream;
}

void Step(cudaStream_t stream) {
  Work work = std::move(stream->queue.front());
  stream->queue.pop_front();
  work();
}

void Drain(cudaStream_t stream) {
  while (!stream->queue.empty()) Step(stream);
}

void DrainAll() {
  for (cudaStream_t stream : streams) Drain(stream);
}

void ReachEvent(cudaEvent_t event, size_t record) {
  while (event->reached < record && !event->stream->queue.empty()) Step(event->stream);
}

cudaError_t State() { return TheDevice().broken; }

}  // namespace

FakeDevice& TheDevice() {
  static FakeDevice device;
  return device;
}

cudaError_t Enqueue(cudaStream_t stream, Work work) {
  if (!stream) {
    DrainAll();
    work();
  } else if (stream->capturing) {
    stream->capturing->nodes.push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
  }
  return State();
}

cudaError_t LaunchKernel(cudaStream_t stream, dim3 grid, int threads, size_t shared_bytes, Work thread) {
  if (grid.x == 0 || grid.y == 0 || grid.y > 65535 || threads < 1 || threads > 1024)
    return cudaErrorInvalidConfiguration;
  return Enqueue(stream, [=] { RunKernel(grid, threads, shared_bytes, thread); });
}

}  // namespace bertha::emulator

using namespace bertha::emulator;  // NOLINT: what follows is CUDA's interface

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = TheDevice().count;
  return TheDevice().count_error;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  snprintf(properties->name, sizeof properties->name, "emulated");
  properties->major = TheDevice().major;
  properties->minor = TheDevice().minor;
  return State();
}
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  *total_bytes = TheDevice().memory;
  *free_bytes = TheDevice().memory - TheDevice().used;
  return State();
}
cudaError_t cudaSetDevice(int device) { return device < TheDevice().count ? State() : cudaErrorInvalidDevice; }
cudaError_t cudaDeviceSynchronize() {
  DrainAll();
  return State();
}
cudaError_t cudaGetLastError() { return State(); }
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory" : "some CUDA error";
}

// Filled with NaN: who reads what nobody wrote shall notice.
cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (TheDevice().used + bytes > TheDevice().memory) return cudaErrorMemoryAllocation;
  *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(*memory, 0xff, bytes);
  allocations[*memory] = bytes;
  TheDevice().used += bytes;
  return State();
}
cudaError_t cudaFree(void* memory) {
  DrainAll();
  if (const auto found = allocations.find(memory); found != allocations.end()) {
    TheDevice().used -= found->second;
    allocations.erase(found);
    free(memory);
  }
  return State();
}
cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = malloc(std::max<size_t>(bytes, 1));
  memset(*memory, 0xff, bytes);
  return State();
}
cudaError_t cudaFreeHost(void* memory) {
  DrainAll();
  free(memory);
  return State();
}
// From ordinary memory it may return before the copy has ended; other streams do not wait for that.
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  DrainAll();
  const auto* begin = static_cast<const char*>(from);
  std::vector<char> copy(begin, begin + bytes);
  TheLegacyStream()->queue.push_back([to, copy = std::move(copy)] { memcpy(to, copy.data(), copy.size()); });
  if (kind != cudaMemcpyHostToDevice) DrainAll();
  return State();
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  return Enqueue(stream, [=] { memcpy(to, from, bytes); });
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  return Enqueue(stream, [=] { memset(memory, value, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  streams.insert(*stream);
  return State();
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Drain(stream);
  streams.erase(stream);
  delete stream;
  return State();
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream->capturing) return cudaErrorStreamCaptureUnsupported;
  Drain(stream);
  return State();
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return Enqueue(stream, [event, record = event->recorded] { ReachEvent(event, record); });
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return State();
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  DrainAll();
  delete event;
  return State();
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->stream = stream;
  return Enqueue(stream, [event, record = ++event->recorded] { event->reached = record; });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->stream) ReachEvent(event, event->recorded);
  return State();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!TheDevice().captures) return cudaErrorStreamCaptureUnsupported;
  stream->capturing = new CUgraph_st;
  return State();
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->capturing, nullptr);
  return State();
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->nodes};
  return State();
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  ++TheDevice().graph_launches;
  for (const Work& work : executable->nodes) Enqueue(stream, work);
  return State();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return State();
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  DrainAll();
  delete executable;
  return State();
}

}  // extern "C"
