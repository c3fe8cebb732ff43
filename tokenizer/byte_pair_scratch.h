// Working memory of byte-pair encoding, kept by the caller between calls.
#ifndef BERTHA_TOKENIZER_BYTE_PAIR_SCRATCH_H_
#define BERTHA_TOKENIZER_BYTE_PAIR_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bertha::tokenizer {

struct BytePairScratch {
  /// A part of a word while it is merged. `size` is 0 once it belongs to the part before.
  struct Part {
    uint32_t symbol;
    size_t size;
    size_t previous, next;
  };
  struct Candidate {
    uint32_t rank;
    size_t at;
  };

  std::vector<Part> parts;
  std::vector<Candidate> candidates;  // a heap
  std::vector<uint64_t> dead_ends;    // a bit for each place in the word
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_PAIR_SCRATCH_H_
