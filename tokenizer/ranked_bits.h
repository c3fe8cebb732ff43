// A sequence of bits that counts those that are set before any place in constant time.
//
// Memory: 16 bytes for each 64 bits. Thread-safety: none while it is filled; immutable then.
// Source: G. Jacobson, "Space-efficient static trees and graphs", FOCS 1989 (rank, with one level of counts).
#ifndef BERTHA_TOKENIZER_RANKED_BITS_H_
#define BERTHA_TOKENIZER_RANKED_BITS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bertha::tokenizer {

class RankedBits {
 public:
  static constexpr size_t kWordBits = 64;

  void Clear() { words_.clear(); }
  void Reserve(size_t bits) { words_.reserve((bits + kWordBits - 1) / kWordBits); }

  /// Appends 64 bits, the first in the lowest place.
  void Append(uint64_t bits) {
    const size_t before = words_.empty() ? 0 : words_.back().before + CountBits(words_.back().bits);
    words_.push_back({bits, before});
  }

  /// Set bits before the place `at`, which must lie in a word that was appended.
  size_t CountBefore(size_t at) const {
    const Word& word = words_[at / kWordBits];
    return word.before + CountBits(word.bits & ((uint64_t{1} << at % kWordBits) - 1));
  }

 private:
  struct Word {
    uint64_t bits;
    size_t before;
  };

  /// Without the instruction that not every x86-64 has, and without the call that stands in for it.
  static size_t CountBits(uint64_t bits) {
    bits -= bits >> 1 & 0x5555555555555555;
    bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0F;
    return bits * 0x0101010101010101 >> 56;
  }

  std::vector<Word> words_;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_RANKED_BITS_H_
