// Counts what a test binary allocates, by replacing operator new.
#ifndef BERTHA_TESTS_TOKENIZER_ALLOCATIONS_H_
#define BERTHA_TESTS_TOKENIZER_ALLOCATIONS_H_

#include <cstddef>

namespace bertha::tokenizer {

/// False under ThreadSanitizer, whose runtime has an operator new that cannot be replaced.
extern const bool kAllocationsAreCounted;

/// Allocations so far, of all threads.
size_t Allocations();

/// Bytes that are allocated now, by all threads, and the most that there were since ResetPeakBytes.
size_t LiveBytes();
size_t PeakBytes();
void ResetPeakBytes();

}  // namespace bertha::tokenizer

#endif  // BERTHA_TESTS_TOKENIZER_ALLOCATIONS_H_
