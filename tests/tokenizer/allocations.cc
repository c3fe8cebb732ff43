#include "tests/tokenizer/allocations.h"

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
std::atomic<size_t> allocations{0};
std::atomic<size_t> allocated_bytes{0};
}  // namespace

#ifndef TOKENIZER_TEST_TSAN
// A file of its own, so that the compiler cannot inline one of these into a caller and not its counterpart.
void* operator new(size_t size) {
  ++allocations;
  allocated_bytes += size;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  allocated_bytes += size;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace bertha::tokenizer {

#ifdef TOKENIZER_TEST_TSAN
const bool kAllocationsAreCounted = false;
#else
const bool kAllocationsAreCounted = true;
#endif

size_t Allocations() { return allocations; }
size_t AllocatedBytes() { return allocated_bytes; }

}  // namespace bertha::tokenizer
