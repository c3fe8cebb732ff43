// Memory of the CUDA devices that models are on, as it is told to whoever collects metrics.
//
// Asked of the driver only then, on the collector's thread, and at most once a second; forward passes have no part in
// it. Thread-safety: thread-safe; while one thread asks, others get what was told before.
#ifndef BERTHA_SERVER_METRICS_GPU_MEMORY_H_
#define BERTHA_SERVER_METRICS_GPU_MEMORY_H_

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "batcher/clock.h"
#include "batcher/mutex.h"
#include "models/cuda_engine.h"
#include "server/model_table.h"

namespace bertha::server {

class GpuMemory {
 public:
  static constexpr std::chrono::seconds kInterval{1};
  /// By their numbers.
  using Devices = std::map<int, models::CudaMemory>;

  /// `clock` outlives it.
  explicit GpuMemory(const batcher::Clock& clock) : clock_(clock) {}

  /// Of the devices that `models` are on, but for those that do not answer.
  Devices Read(const std::vector<ModelEntry>& models);

 private:
  /// Whether the caller is to ask.
  bool IsDue();

  const batcher::Clock& clock_;
  Mutex mutex_;
  std::optional<batcher::TimePoint> asked_ ABSL_GUARDED_BY(mutex_);
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  Devices devices_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METRICS_GPU_MEMORY_H_
