#include "tokenizer/double_array_trie.h"

#include <algorithm>

namespace bertha::tokenizer {

/// Places the children of one node at a time where all of them fit, first in the oldest hole of the newest blocks.
class DoubleArrayTrie::Builder {
 public:
  explicit Builder(DoubleArrayTrie* trie) : trie_(*trie) {
    AddBlock();
    Take(kRoot);
    is_base_[kChildless] = is_base_[kNobodys] = true;
  }

  void Place(const std::vector<Entry>& entries) {
    std::vector<Range> open = {{0, entries.size(), 0, kRoot}};
    while (!open.empty()) {
      Range range = open.back();
      open.pop_back();
      const bool ends_key = range.first < range.last && entries[range.first].key.size() == range.depth;
      const int32_t value = ends_key ? entries[range.first++].value : kNoValue;
      if (range.first < range.last) {
        PlaceChildren(entries, range, &open);
        if (ends_key) inner_ends_.push_back({range.node, value});
      } else if (ends_key) {
        trie_.units_[range.node] = kIsLeaf | static_cast<uint32_t>(value);
      }
    }
    LabelHoles();
    NumberEnds();
    trie_.units_.shrink_to_fit();
    trie_.labels_.shrink_to_fit();
  }

 private:
  // A base that no node has, in the first block as kChildless is.
  static constexpr Node kNobodys = 1;
  // Older blocks are no longer searched, which bounds the time of Build; few holes are left in them.
  static constexpr size_t kSearchedBlocks = 16;

  /// Entries [first, last) share their first `depth` bytes, which lead to `node`.
  struct Range {
    size_t first, last, depth;
    Node node;
  };

  void PlaceChildren(const std::vector<Entry>& entries, const Range& range, std::vector<Range>* open) {
    children_.clear();
    for (size_t i = range.first; i < range.last;) {
      const char label = entries[i].key[range.depth];
      size_t end = i + 1;
      while (end < range.last && entries[end].key[range.depth] == label) ++end;
      children_.push_back({i, end, range.depth + 1, static_cast<unsigned char>(label)});
      i = end;
    }
    const Node base = FindBase();
    is_base_[base] = true;
    trie_.units_[range.node] = base;
    for (Range child : children_) {
      const Node label = child.node;
      child.node ^= base;
      Take(child.node);
      trie_.labels_[child.node] = static_cast<uint8_t>(label);
      open->push_back(child);
    }
  }

  /// A base that no node has, and that sends every label in children_ (still in their `node`) to a hole.
  Node FindBase() {
    for (;;) {
      for (Node hole = first_hole_; hole != kNone; hole = links_[hole].next) {
        const Node base = hole ^ children_.front().node;
        const auto fits = [&](const Range& child) { return links_[base ^ child.node].is_hole; };
        if (!is_base_[base] && std::all_of(children_.begin(), children_.end(), fits)) return base;
      }
      AddBlock();
    }
  }

  void AddBlock() {
    const auto begin = static_cast<Node>(links_.size());
    trie_.units_.resize(begin + kBlock, kChildless);
    trie_.labels_.resize(begin + kBlock);
    links_.resize(begin + kBlock);
    is_base_.resize(begin + kBlock);
    for (Node hole = begin; hole < begin + kBlock; ++hole) Append(hole);
    if (begin < kSearchedBlocks * kBlock) return;
    const Node old = begin - static_cast<Node>(kSearchedBlocks * kBlock);
    for (Node hole = old; hole < old + kBlock; ++hole) {
      if (links_[hole].is_hole) TakeOffList(hole);
    }
  }

  void Append(Node hole) {
    links_[hole] = {last_hole_, kNone, true};
    (last_hole_ == kNone ? first_hole_ : links_[last_hole_].next) = hole;
    last_hole_ = hole;
  }

  void Take(Node hole) {
    TakeOffList(hole);
    links_[hole].is_hole = false;
  }

  void TakeOffList(Node hole) {
    const Link link = links_[hole];
    (link.previous == kNone ? first_hole_ : links_[link.previous].next) = link.next;
    (link.next == kNone ? last_hole_ : links_[link.next].previous) = link.previous;
  }

  /// A block without a base to spare has no holes: each base has a child in its block.
  void LabelHoles() {
    trie_.labels_[kRoot] = kRoot ^ kNobodys;
    for (size_t begin = 0; begin < links_.size(); begin += kBlock) {
      size_t spare = begin == 0 ? kNobodys : begin;
      while (spare != kNobodys && spare < begin + kBlock && is_base_[spare]) ++spare;
      for (size_t unit = begin; unit < begin + kBlock; ++unit) {
        if (links_[unit].is_hole) trie_.labels_[unit] = static_cast<uint8_t>(unit ^ spare);
      }
    }
  }

  void NumberEnds() {
    std::sort(inner_ends_.begin(), inner_ends_.end(), [](const End& a, const End& b) { return a.node < b.node; });
    trie_.values_.reserve(inner_ends_.size());
    for (const End& end : inner_ends_) {
      trie_.units_[end.node] |= kEndsKey;
      trie_.values_.push_back(end.value);
    }
    trie_.ends_.Reserve(trie_.units_.size());
    for (size_t unit = 0; unit < trie_.units_.size(); unit += RankedBits::kWordBits) {
      uint64_t bits = 0;
      for (size_t i = 0; i < RankedBits::kWordBits; ++i) {
        const uint32_t flags = trie_.units_[unit + i] & (kIsLeaf | kEndsKey);
        bits |= uint64_t{flags == kEndsKey} << i;
      }
      trie_.ends_.Append(bits);
    }
  }

  struct Link {
    Node previous = kNone, next = kNone;
    bool is_hole = false;
  };

  struct End {
    Node node;
    int32_t value;
  };

  DoubleArrayTrie& trie_;
  std::vector<Link> links_;
  std::vector<bool> is_base_;
  std::vector<Range> children_;
  std::vector<End> inner_ends_;
  Node first_hole_ = kNone, last_hole_ = kNone;
};

DoubleArrayTrie::DoubleArrayTrie() : DoubleArrayTrie(std::vector<Entry>()) {}

DoubleArrayTrie::DoubleArrayTrie(const std::vector<Entry>& entries) { Builder(this).Place(entries); }

}  // namespace bertha::tokenizer
