#include "tests/tokenizer/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_THREAD__)
#define TOKENIZER_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TOKENIZER_TEST_TSAN 1
#endif
#endif

namespace {

std::atomic<size_t> allocations{0}, live_bytes{0}, peak_bytes{0};

[[maybe_unused]] void* Allocate(size_t size) {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) return nullptr;
  ++allocations;
  const size_t live = live_bytes += malloc_usable_size(memory);
  for (size_t peak = peak_bytes; peak < live && !peak_bytes.compare_exchange_weak(peak, live);) continue;
  return memory;
}

[[maybe_unused]] void Free(void* memory) {
  live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

#ifndef TOKENIZER_TEST_TSAN
// A file of its own, so that the compiler cannot inline one of these into a caller and not its counterpart.
void* operator new(size_t size) {
  if (void* memory = Allocate(size)) return memory;
  std::abort();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size); }
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
#endif

namespace bertha::tokenizer {

#ifdef TOKENIZER_TEST_TSAN
const bool kAllocationsAreCounted = false;
#else
const bool kAllocationsAreCounted = true;
#endif

size_t Allocations() { return allocations; }
size_t LiveBytes() { return live_bytes; }
size_t PeakBytes() { return peak_bytes; }
void ResetPeakBytes() { peak_bytes = live_bytes.load(); }

}  // namespace bertha::tokenizer
