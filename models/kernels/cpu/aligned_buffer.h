// Memory for weights and activations: aligned for the widest vectors, zeroed, on huge pages if it is large.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_MODELS_KERNELS_CPU_ALIGNED_BUFFER_H_
#define BERTHA_MODELS_KERNELS_CPU_ALIGNED_BUFFER_H_

#include <cstddef>
#include <utility>

namespace bertha::models {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  /// `bytes` zeros. Throws std::bad_alloc.
  explicit AlignedBuffer(size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_ALIGNED_BUFFER_H_
