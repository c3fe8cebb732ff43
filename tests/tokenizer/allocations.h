// Counts the allocations of the test binary, by replacing operator new.
#ifndef BERTHA_TESTS_TOKENIZER_ALLOCATIONS_H_
#define BERTHA_TESTS_TOKENIZER_ALLOCATIONS_H_

#include <cstddef>

namespace bertha::tokenizer {

/// False under ThreadSanitizer, whose runtime has an operator new that cannot be replaced.
extern const bool kAllocationsAreCounted;

/// Allocations so far, of all threads.
size_t Allocations();
/// Bytes of them, freed ones included.
size_t AllocatedBytes();

}  // namespace bertha::tokenizer

#endif  // BERTHA_TESTS_TOKENIZER_ALLOCATIONS_H_
