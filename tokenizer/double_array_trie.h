// A set of byte strings with a number each, walked byte by byte in constant time per byte.
//
// Thread-safety: immutable after Build.
// Source: J. Aoe, "An efficient digital search algorithm by using a double-array structure", IEEE Transactions on
// Software Engineering 15(9), 1989; with child = base XOR byte, so that all children of a node lie in one block of 256.
#ifndef BERTHA_TOKENIZER_DOUBLE_ARRAY_TRIE_H_
#define BERTHA_TOKENIZER_DOUBLE_ARRAY_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

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

  /// `entries` must be sorted by key (byte order) and have distinct keys. Not recursive: keys may be of any length.
  static DoubleArrayTrie Build(const std::vector<Entry>& entries);

  DoubleArrayTrie() = default;

  /// The child of `node` along `byte`, or kNone. `node` must not be kNone.
  Node Step(Node node, char byte) const {
    const Node child = units_[node].base ^ static_cast<unsigned char>(byte);
    return units_[child].parent == node ? child : kNone;
  }

  /// The value of the key that ends at `node`, or kNoValue.
  int32_t ValueAt(Node node) const { return units_[node].value; }

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

 private:
  class Builder;

  struct Unit {
    Node base = 0;
    Node parent = kNone;  // kNone: no node here
    int32_t value = kNoValue;
  };

  // A multiple of 256 units, so that base XOR byte is always inside. The root has no parent and is never a child.
  std::vector<Unit> units_ = std::vector<Unit>(256);
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_DOUBLE_ARRAY_TRIE_H_
