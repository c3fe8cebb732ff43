// What is measured of one version of a model, from its load on.
//
// Thread-safety: thread-safe, without locks.
#ifndef BERTHA_SERVER_METRICS_MODEL_METRICS_H_
#define BERTHA_SERVER_METRICS_MODEL_METRICS_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "server/metrics/histogram.h"

namespace bertha::server {

/// Seconds: from 50 µs to 10 s.
inline constexpr std::array kSecondBounds = {50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3,
                                             50e-3, 100e-3, 200e-3, 500e-3, 1.0,  2.0,  5.0,  10.0};
inline constexpr std::array kBatchSizeBounds = {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0};
inline constexpr std::array kBatchTokenBounds = {8.0,   16.0,   32.0,   64.0,   128.0,  256.0,
                                                 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0};

struct ModelMetrics {
  /// Of inputs that were answered, where their time went (see v1::Timing).
  Histogram tokenize{kSecondBounds}, queue{kSecondBounds}, compute{kSecondBounds}, total{kSecondBounds};
  /// Of forward passes.
  Histogram batch_size{kBatchSizeBounds}, batch_tokens{kBatchTokenBounds};
  std::atomic<uint64_t> tokens = 0, padded_tokens = 0, failed_passes = 0;
  /// Reading, checking and measuring the package, in seconds.
  std::atomic<double> load_seconds = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METRICS_MODEL_METRICS_H_
