// A set of byte strings with a number each, walked byte by byte in constant time per byte.
//
// Memory: 5 bytes per node, 4 more for each key that longer keys start with, and a few percent for holes.
// Thread-safety: immutable after Build.
// Source: J. Aoe, "An efficient digital search algorithm by using a double-array structure", IEEE Transactions on
// Software Engineering 15(9), 1989; with child = base XOR byte, so that all children of a node lie in one block of 256.
// No two nodes share a base, so that the byte of a unit tells whose child it is (S. Yata, "Darts-clone", 2008).
#ifndef BERTHA_TOKENIZER_DOUBLE_ARRAY_TRIE_H_
#define BERTHA_TOKENIZER_DOUBLE_ARRAY_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/ranked_bits.h"

namespace bertha::tokenizer {

class DoubleArrayTrie {
 public:
  using Node = uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = 0xFFFFFFFF;
  static constexpr int32_t kNoValue = -1;

  struct Entry {
    absl::string_view key;
    int32_t value;  ///< not negative
  };

  /// A key that a text starts with.
  struct Prefix {
    int32_t value = kNoValue;  ///< kNoValue: there is none
    size_t size = 0;
  };

  /// `entries` must be sorted by key (byte order) and have distinct keys, of less than 128 MiB in all. Not
  /// recursive: keys may be of any length.
  static DoubleArrayTrie Build(const std::vector<Entry>& entries) { return DoubleArrayTrie(entries); }

  /// Holds no key.
  DoubleArrayTrie();

  /// The child of `node` along `byte`, or kNone. `node` must not be kNone.
  Node Step(Node node, char byte) const { return Child(units_[node], byte); }

  /// The value of the key that ends at `node`, or kNoValue.
  int32_t ValueAt(Node node) const {
    const uint32_t unit = units_[node];
    if ((unit & kIsLeaf) != 0) return static_cast<int32_t>(unit & ~kIsLeaf);
    return (unit & kEndsKey) != 0 ? values_[ends_.CountBefore(node)] : kNoValue;
  }

  /// The node where `key` leads from `node`, or kNone.
  Node Walk(Node node, absl::string_view key) const {
    for (size_t i = 0; i < key.size() && node != kNone; ++i) node = Step(node, key[i]);
    return node;
  }

  /// The value of a key, or kNoValue.
  int32_t Find(absl::string_view key) const {
    const Node node = Walk(kRoot, key);
    return node == kNone ? kNoValue : ValueAt(node);
  }

  /// Where a key ends that a text starts with.
  struct PrefixEnd {
    Node node = kNone;  ///< kNone: there is none
    size_t size = 0;
  };

  /// Of what leads from `node` to the end of a key, the longest that `text` starts with; not the empty string.
  Prefix LongestPrefix(Node node, absl::string_view text) const {
    const PrefixEnd end = LongestPrefixEnd(node, text);
    return {end.node == kNone ? kNoValue : ValueAt(end.node), end.size};
  }
  PrefixEnd LongestPrefixEnd(Node node, absl::string_view text) const {
    PrefixEnd longest;
    for (size_t i = 0; i < text.size(); ++i) {
      node = Step(node, text[i]);
      if (node == kNone) break;
      if ((units_[node] & (kIsLeaf | kEndsKey)) != 0) longest = {node, i + 1};
    }
    return longest;
  }

  /// The parts of the structure, for one that holds more for each node: the child of `node` along a byte, if there is
  /// one, is the base of `node` XOR that byte, and that byte is the child's label.
  Node BaseOf(Node node) const { return (units_[node] & kIsLeaf) != 0 ? kChildless : units_[node] & ~kEndsKey; }
  uint8_t LabelOf(Node node) const { return labels_[node]; }
  /// All nodes are less.
  Node node_limit() const { return static_cast<Node>(units_.size()); }

 private:
  class Builder;
  static constexpr size_t kBlock = 256;
  // A base that leads nowhere.
  static constexpr Node kChildless = 0;

  // A unit is kIsLeaf and the value of a key that no longer one starts with, or the base of its children and perhaps
  // kEndsKey.
  static constexpr uint32_t kIsLeaf = uint32_t{1} << 31, kEndsKey = uint32_t{1} << 30;

  explicit DoubleArrayTrie(const std::vector<Entry>& entries);

  Node Child(uint32_t unit, char byte) const {
    if ((unit & kIsLeaf) != 0) return kNone;
    const auto label = static_cast<unsigned char>(byte);
    const Node child = (unit & ~kEndsKey) ^ label;
    return labels_[child] == label ? child : kNone;
  }

  // Whole blocks, so that base XOR byte is always inside. The label of a unit that is no child is a byte that leads
  // there from a base that no node has; 0 and 1 are never the base of a node.
  std::vector<uint32_t> units_;
  std::vector<uint8_t> labels_;
  RankedBits ends_;              // the units that have kEndsKey
  std::vector<int32_t> values_;  // of those, in their order
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_DOUBLE_ARRAY_TRIE_H_
