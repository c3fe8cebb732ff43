// Byte-pair encoding in linear time, however long a word is: tokens are taken from the left, the longest that fits
// first, and taken back where they lead nowhere.
//
// Merging (byte_pair_merges.h) gives a sequence of tokens if and only if it gives each token of it alone, and each two
// neighbours together: no merge crosses a border between tokens, and whether one would depends on the two tokens there
// alone. So a token may follow another if they are such neighbours, which undoing their merges tells, latest first; and
// there is one way at most to get to each place in a word, so that a place from which no token leads on is a dead end
// for good.
// Thread-safety: immutable.
// Source: Hendrik van Antwerpen and Alexander Neubeck, "So many tokens, so little time: introducing a faster, more
// flexible byte-pair tokenizer", GitHub, 2024, and the description of the crate `bpe` in github/rust-gems.
#ifndef BERTHA_TOKENIZER_BYTE_PAIR_BACKTRACKING_H_
#define BERTHA_TOKENIZER_BYTE_PAIR_BACKTRACKING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/byte_pair_merges.h"
#include "tokenizer/byte_pair_scratch.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/word_cache.h"

namespace bertha::tokenizer {

class BytePairBacktracking {
 public:
  /// `merges` must be in order, and outlive this.
  explicit BytePairBacktracking(const BytePairMerges& merges);

  /// Appends the tokens of a word, the same as `merges` does.
  void Encode(absl::string_view word, BytePairScratch& scratch, std::vector<WordToken>& tokens) const;

 private:
  static constexpr auto kNone = static_cast<Symbol>(DoubleArrayTrie::kNoValue);

  /// What is known of a symbol.
  struct Token {
    uint32_t size;   // in bytes
    Symbol shorter;  // the longest token that it begins with, other than itself; kNone for a byte
  };

  void FindTokens(std::vector<std::string>& texts, std::vector<bool>& is_token) const;
  bool PartsMayMeet(Symbol left, Symbol right) const;
  /// A token at some place of a word.
  struct Candidate {
    Symbol symbol;
    size_t size;
  };

  /// The longest token that `text` begins with.
  Candidate Longest(absl::string_view text) const {
    const DoubleArrayTrie::PrefixEnd end = trie_.LongestPrefixEnd(DoubleArrayTrie::kRoot, text);
    return {end.size == 0 ? kNone : symbols_[end.node], end.size};
  }
  Candidate Shorter(Symbol symbol) const {
    const Symbol shorter = tokens_[symbol].shorter;
    return {shorter, shorter == kNone ? 0 : tokens_[shorter].size};
  }

  const BytePairMerges& merges_;
  DoubleArrayTrie trie_;         // of the tokens that merging makes of their own bytes, to their symbols
  std::vector<Symbol> symbols_;  // the same, by node of trie_
  std::vector<Token> tokens_;    // by symbol
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_PAIR_BACKTRACKING_H_
