// Working memory of byte-pair encoding, kept by the caller between calls.
#ifndef BERTHA_TOKENIZER_BYTE_PAIR_SCRATCH_H_
#define BERTHA_TOKENIZER_BYTE_PAIR_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bertha::tokenizer {

/// Answers to a question about two symbols of a model that comes up again and again. Of those that share a place the
/// last one is kept. Memory: 32 KiB, allocated with the first one.
class PairMemo {
 public:
  /// Forgets what was said of another model. `model`: see word_cache.h.
  void UseFor(uint64_t model) {
    if (model == model_) return;
    entries_.assign(kEntries, kEmpty);
    model_ = model;
  }

  /// What `answer` says about two symbols below 2^31, now or last time.
  template <typename Answer>
  bool Get(uint32_t left, uint32_t right, const Answer& answer) {
    const uint64_t pair = uint64_t{left} << 32 | right;
    uint64_t& entry = entries_[(pair * 0x9E3779B97F4A7C15) >> (64 - kBits)];
    if (entry >> 1 != pair) entry = pair << 1 | (answer() ? 1 : 0);
    return (entry & 1) != 0;
  }

 private:
  static constexpr int kBits = 12;
  static constexpr size_t kEntries = size_t{1} << kBits;
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  std::vector<uint64_t> entries_;  // a pair, and the answer in the lowest bit
  uint64_t model_ = 0;
};

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
  PairMemo may_follow;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_PAIR_SCRATCH_H_
