#include "models/kernels/cpu/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace bertha::models {
namespace {

// Below this a huge page would hold little else than nothing.
constexpr size_t kHugePage = size_t{2} << 20;

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const bool is_large = bytes >= kHugePage;
  const size_t alignment = is_large ? kHugePage : kAlignment;
  const size_t size = RoundUp(bytes, is_large ? size_t{4096} : kAlignment);
  void* memory = std::aligned_alloc(alignment, RoundUp(size, kAlignment));
  if (memory == nullptr) throw std::bad_alloc();
  // Weights are read from end to end in each pass: with small pages that is a TLB miss every 4 KiB.
  if (is_large) madvise(memory, size / kHugePage * kHugePage, MADV_HUGEPAGE);
  std::memset(memory, 0, bytes);
  data_ = static_cast<std::byte*>(memory);
}

AlignedBuffer::~AlignedBuffer() { std::free(data_); }

}  // namespace bertha::models
