// Arrays on the device, real or emulated, and random numbers that are the same to the last bit on both sides.
#ifndef BERTHA_TESTS_CUDA_DEVICE_ARRAY_H_
#define BERTHA_TESTS_CUDA_DEVICE_ARRAY_H_

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "models/kernels/cuda/dispatch.h"
#include "models/kernels/cuda/kernels.h"
#include "tests/catch.h"

namespace bertha::cuda {

inline constexpr Dtype kDtypes[] = {Dtype::kFp32, Dtype::kFp16, Dtype::kBf16};

inline const char* NameOf(Dtype dtype) {
  if (dtype == Dtype::kFp32) return "fp32";
  return dtype == Dtype::kFp16 ? "fp16" : "bf16";
}

/// Distance of neighbouring numbers at 1: what one rounding may cost, relatively.
inline float Epsilon(Dtype dtype) {
  if (dtype == Dtype::kFp32) return 1.2e-7f;
  return dtype == Dtype::kFp16 ? 9.8e-4f : 7.9e-3f;
}

/// `x` as a number of `dtype`.
inline float Rounded(float x, Dtype dtype) {
  return WithDtype(dtype, [&](auto zero) { return static_cast<float>(decltype(zero)(x)); });
}

/// Guards of NaN stand before and after the numbers: what reads or writes beyond them is seen.
class DeviceArray {
 public:
  DeviceArray(const std::vector<float>& values, Dtype dtype) : dtype_(dtype), count_(values.size()) {
    WithDtype(dtype, [&](auto zero) {
      using T = decltype(zero);
      std::vector<T> all(count_ + 2 * kGuard, T(NAN));
      for (size_t i = 0; i < count_; ++i) all[kGuard + i] = T(values[i]);
      Upload(all.data(), all.size() * sizeof(T));
      return 0;
    });
  }
  explicit DeviceArray(const std::vector<int32_t>& values) : count_(values.size()) {
    std::vector<int32_t> all(count_ + 2 * kGuard, -1);
    std::copy(values.begin(), values.end(), all.begin() + kGuard);
    Upload(all.data(), all.size() * sizeof(int32_t));
  }
  explicit DeviceArray(const std::vector<AttentionTile>& tiles)
      : DeviceArray([&] {
          std::vector<int32_t> numbers(tiles.size() * sizeof(AttentionTile) / sizeof(int32_t));
          memcpy(numbers.data(), tiles.data(), numbers.size() * sizeof(int32_t));
          return numbers;
        }()) {}
  ~DeviceArray() { cudaFree(memory_); }
  DeviceArray(const DeviceArray&) = delete;

  void* get() const { return static_cast<char*>(memory_) + kGuard * BytesOf(dtype_); }
  operator void*() const { return get(); }
  operator const void*() const { return get(); }
  const float* fp32() const { return static_cast<const float*>(get()); }
  const int32_t* ints() const { return static_cast<const int32_t*>(get()); }
  const AttentionTile* tiles() const { return static_cast<const AttentionTile*>(get()); }

  /// After all kernels; the guards must be as they were.
  std::vector<float> Values() const {
    return WithDtype(dtype_, [&](auto zero) {
      using T = decltype(zero);
      std::vector<T> all(count_ + 2 * kGuard);
      const cudaError_t error = cudaMemcpy(all.data(), memory_, all.size() * sizeof(T), cudaMemcpyDeviceToHost);
      INFO(cudaGetErrorString(error));
      REQUIRE(error == cudaSuccess);
      for (size_t i = 0; i < kGuard; ++i) {
        REQUIRE(std::isnan(static_cast<float>(all[i])));
        REQUIRE(std::isnan(static_cast<float>(all[kGuard + count_ + i])));
      }
      std::vector<float> values;
      for (size_t i = 0; i < count_; ++i) values.push_back(static_cast<float>(all[kGuard + i]));
      return values;
    });
  }

 private:
  static constexpr size_t kGuard = 64;

  void Upload(const void* from, size_t bytes) {
    REQUIRE(cudaMalloc(&memory_, bytes) == cudaSuccess);
    REQUIRE(cudaMemcpy(memory_, from, bytes, cudaMemcpyHostToDevice) == cudaSuccess);
  }

  Dtype dtype_ = Dtype::kFp32;
  size_t count_;
  void* memory_ = nullptr;
};

/// `count` numbers of about `size`, already rounded to `dtype`.
inline std::vector<float> RandomNumbers(size_t count, Dtype dtype, unsigned seed, float size = 1) {
  std::mt19937 random(seed);
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(Rounded(size * (static_cast<float>(random()) / 2147483648.f - 1.f), dtype));
  }
  return values;
}

/// Each number within `relative` of its own size and `absolute`.
inline void CheckClose(const std::vector<float>& actual, const std::vector<double>& expected, double relative,
                       double absolute) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double tolerance = absolute + relative * std::fabs(expected[i]);
    if (std::fabs(actual[i] - expected[i]) <= tolerance) continue;  // also false for NaN
    INFO("number " << i << " of " << actual.size());
    CHECK(static_cast<double>(actual[i]) == Approx(expected[i]).margin(tolerance));
    return;
  }
}

}  // namespace bertha::cuda

#endif  // BERTHA_TESTS_CUDA_DEVICE_ARRAY_H_
