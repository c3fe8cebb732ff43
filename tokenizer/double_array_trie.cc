#include "tokenizer/double_array_trie.h"

#include <algorithm>

namespace bertha::tokenizer {

/// Places the children of one node at a time where all of them fit, first in the oldest hole of the newest blocks.
class DoubleArrayTrie::Builder {
 public:
  explicit Builder(std::vector<Unit>* units) : units_(*units) {
    units_.clear();
    AddBlock();
    Take(kRoot);
  }

  void Place(const std::vector<Entry>& entries) {
    std::vector<Range> open = {{0, entries.size(), 0, kRoot}};
    while (!open.empty()) {
      Range range = open.back();
      open.pop_back();
      if (range.first < range.last && entries[range.first].key.size() == range.depth) {
        units_[range.node].value = entries[range.first++].value;
      }
      if (range.first < range.last) PlaceChildren(entries, range, &open);
    }
  }

 private:
  static constexpr size_t kBlock = 256;
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
    units_[range.node].base = base;
    for (Range child : children_) {
      child.node ^= base;
      Take(child.node);
      units_[child.node].parent = range.node;
      open->push_back(child);
    }
  }

  /// A base that sends every label in children_ (still in their `node`) to a hole.
  Node FindBase() {
    for (;;) {
      for (Node hole = first_hole_; hole != kNone; hole = links_[hole].next) {
        const Node base = hole ^ children_.front().node;
        const auto fits = [&](const Range& child) { return links_[base ^ child.node].is_hole; };
        if (std::all_of(children_.begin(), children_.end(), fits)) return base;
      }
      AddBlock();
    }
  }

  void AddBlock() {
    const auto begin = static_cast<Node>(units_.size());
    units_.resize(begin + kBlock);
    links_.resize(begin + kBlock);
    for (Node hole = begin; hole < begin + kBlock; ++hole) Append(hole);
    if (begin < kSearchedBlocks * kBlock) return;
    const Node old = begin - kSearchedBlocks * kBlock;
    for (Node hole = old; hole < old + kBlock; ++hole) {
      if (links_[hole].is_hole) Take(hole);
    }
  }

  void Append(Node hole) {
    links_[hole] = {last_hole_, kNone, true};
    (last_hole_ == kNone ? first_hole_ : links_[last_hole_].next) = hole;
    last_hole_ = hole;
  }

  void Take(Node hole) {
    const Link link = links_[hole];
    (link.previous == kNone ? first_hole_ : links_[link.previous].next) = link.next;
    (link.next == kNone ? last_hole_ : links_[link.next].previous) = link.previous;
    links_[hole].is_hole = false;
  }

  struct Link {
    Node previous = kNone, next = kNone;
    bool is_hole = false;
  };

  std::vector<Unit>& units_;
  std::vector<Link> links_;
  std::vector<Range> children_;
  Node first_hole_ = kNone, last_hole_ = kNone;
};

DoubleArrayTrie DoubleArrayTrie::Build(const std::vector<Entry>& entries) {
  DoubleArrayTrie trie;
  Builder(&trie.units_).Place(entries);
  trie.units_.shrink_to_fit();
  return trie;
}

}  // namespace bertha::tokenizer
