// The merges of byte-pair encoding, and the encoding as its definition says: of all adjacent pairs of symbols, the one
// whose merge comes first in the list becomes one symbol, the leftmost one first, until no pair has a merge.
//
// Thread-safety: immutable.
// Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units", ACL 2016; on
// bytes: Radford et al., "Language models are unsupervised multitask learners", 2019. Time: O(n log n) for a word of n
// bytes (byte_pair_backtracking.h is linear).
#ifndef BERTHA_TOKENIZER_BYTE_PAIR_MERGES_H_
#define BERTHA_TOKENIZER_BYTE_PAIR_MERGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tokenizer/byte_pair_scratch.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/word_cache.h"

namespace bertha::tokenizer {

/// A byte is its own symbol; what the merge of rank r makes for the first time is symbol 256 + r; then come the rest.
using Symbol = uint32_t;

class BytePairMerges {
 public:
  static constexpr uint32_t kNoRank = 0xFFFFFFFF;
  static constexpr Symbol kFirstMerged = 256;

  struct Merge {
    Symbol left, right;
  };

  /// What becomes of bytes that are no token.
  struct Unknown {
    int32_t id;
    bool fuse;  ///< neighbours are one token
  };

  /// `json`: the array of merges, "a b" or ["a", "b"], spelled in the byte alphabet as `vocabulary` is. Bytes that are
  /// no token need `unknown`; without, INVALID_ARGUMENT.
  static absl::StatusOr<BytePairMerges> FromJson(const JsonValue& json, const Vocabulary& vocabulary,
                                                 const std::optional<Unknown>& unknown);

  /// Appends the tokens of a word.
  void Encode(absl::string_view word, BytePairScratch& scratch, std::vector<WordToken>& tokens) const;

  /// By rank.
  const std::vector<Merge>& merges() const { return merges_; }
  /// The rank of the merge of two adjacent symbols, or kNoRank.
  uint32_t RankOf(Symbol left, Symbol right) const {
    const uint64_t hash = HashOf(left, right);
    if ((maybe_[hash / 64 & (maybe_.size() - 1)] >> hash % 64 & 1) == 0) return kNoRank;
    return Find(left, right, hash, kNoRank);
  }
  /// Whether two adjacent symbols have a merge of a rank below `limit`.
  bool HasRankBelow(uint32_t limit, Symbol left, Symbol right) const {
    const uint64_t hash = HashOf(left, right);
    if (levels_[SlotOf(hash)] > limit >> level_shift_) return false;
    return Find(left, right, hash, limit) != kNoRank;
  }
  int32_t IdOf(Symbol symbol) const { return ids_[symbol]; }
  /// Every byte is a token, every merge makes a token that no other makes, and of parts that are there before: so the
  /// order of the symbols is that in which a word gets them.
  bool are_in_order() const { return in_order_; }

 private:
  class Builder;

  BytePairMerges() = default;

  static uint64_t HashOf(Symbol left, Symbol right) {
    const uint64_t hash = (uint64_t{left} << 32 | right) * 0x9E3779B97F4A7C15;
    return hash ^ hash >> 32;
  }
  size_t SlotOf(uint64_t hash) const { return hash & (slots_.size() - 1); }
  /// What a slot holds for a pair: of the hash as much as there is room for above the rank.
  uint32_t TagOf(uint64_t hash) const { return static_cast<uint32_t>(hash >> 32) & ~rank_mask_; }
  /// The rank of a pair if it is below `limit`, or kNoRank.
  uint32_t Find(Symbol left, Symbol right, uint64_t hash, uint32_t limit) const {
    for (size_t slot = SlotOf(hash); slots_[slot] != kNoRank; slot = (slot + 1) & (slots_.size() - 1)) {
      const uint32_t rank = slots_[slot] ^ TagOf(hash);
      if (rank < limit && rank <= rank_mask_ && merges_[rank].left == left && merges_[rank].right == right) return rank;
    }
    return kNoRank;
  }
  void Start(absl::string_view word, BytePairScratch& scratch) const;
  void AddCandidate(size_t at, BytePairScratch& scratch) const;

  std::vector<Merge> merges_;    // by rank
  std::vector<Symbol> results_;  // by rank
  std::vector<int32_t> ids_;     // by symbol
  // Hash table, at most half full, whose size is a power of two: kNoRank, or a rank and a tag above it.
  std::vector<uint32_t> slots_;
  // For each slot the lowest rank of the pairs that hash to it, but its lowest bits; 255 if there is none.
  std::vector<uint8_t> levels_;
  std::vector<uint64_t> maybe_;  // a bit for each of as many hashes as 8 times the slots: 0 where no pair has it
  uint32_t rank_mask_ = 0;       // the bits of slots_ that are the rank
  int level_shift_ = 0;          // the bits of a rank that levels_ lacks
  std::optional<Unknown> unknown_;
  Symbol unknown_symbol_ = 0;
  bool in_order_ = false;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_PAIR_MERGES_H_
