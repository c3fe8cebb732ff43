#include "models/kernels/cpu/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace bertha::models {
namespace {

// Below this a huge page would hold little else than nothing.
constexpr size_t kLarge = size_t{2} << 20;

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  void* memory = nullptr;
  if (bytes < kLarge) {
    memory = std::aligned_alloc(kAlignment, RoundUp(bytes, kAlignment));
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, bytes);
  } else {
    // Fresh pages are zero and take memory only once they are used.
    memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    // Weights are read from end to end in each pass: with small pages that is a TLB miss every 4 KiB.
    madvise(memory, bytes, MADV_HUGEPAGE);
  }
  data_ = static_cast<std::byte*>(memory);
}

AlignedBuffer::~AlignedBuffer() {
  if (bytes_ < kLarge) {
    std::free(data_);
  } else {
    munmap(data_, bytes_);
  }
}

}  // namespace bertha::models
