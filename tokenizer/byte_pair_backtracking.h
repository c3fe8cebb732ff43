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
#include <optional>
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
  /// `merges` must outlive this. Nothing if they are not in order, or their tokens too long in all to be kept here
  /// (at least 16 MiB).
  static std::optional<BytePairBacktracking> Make(const BytePairMerges& merges);

  /// Appends the tokens of a word, the same as `merges` does.
  void Encode(absl::string_view word, BytePairScratch& scratch, std::vector<WordToken>& tokens) const;

 private:
  static constexpr auto kNone = static_cast<Symbol>(DoubleArrayTrie::kNoValue);

  /// What is known of a symbol.
  struct Token {
    BytePairMerges::Merge parts;  // that make it; of no use for a byte
    Symbol shorter;               // the longest token that it begins with, other than itself; kNone for a byte
    uint32_t size;                // in bytes
  };

  /// A token at some place of a word.
  struct Candidate {
    Symbol symbol;
    size_t size;
  };

  /// Of a DoubleArrayTrie: all that a step needs lies in one cache line.
  struct Node {
    uint32_t base_and_label;  // the label in the lowest byte
    Symbol symbol;            // the token that ends here, or kNone
  };
  static constexpr DoubleArrayTrie::Node kNodeLimit = 1 << 24;

  explicit BytePairBacktracking(const BytePairMerges& merges) : merges_(merges) {}

  bool Build();
  void FindTokens(std::vector<std::string>& texts, std::vector<bool>& is_token);
  bool PartsMayMeet(Symbol left, Symbol right) const;

  /// The longest token that `text` begins with.
  Candidate Longest(absl::string_view text) const {
    Candidate longest = {kNone, 0};
    uint32_t base = root_base_;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto label = static_cast<unsigned char>(text[i]);
      const Node node = nodes_[base ^ label];
      if ((node.base_and_label & 0xFF) != label) break;
      if (node.symbol != kNone) {
        longest = {node.symbol, i + 1};
        __builtin_prefetch(&tokens_[node.symbol]);  // undoing its merge is next, and the table outgrows the first cache
      }
      base = node.base_and_label >> 8;
    }
    return longest;
  }
  Candidate Shorter(Symbol symbol) const {
    const Symbol shorter = tokens_[symbol].shorter;
    return {shorter, shorter == kNone ? 0 : tokens_[shorter].size};
  }

  const BytePairMerges& merges_;
  // The trie of the tokens that merging makes of their own bytes.
  std::vector<Node> nodes_;
  uint32_t root_base_ = 0;
  std::vector<Token> tokens_;  // by symbol
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_PAIR_BACKTRACKING_H_
