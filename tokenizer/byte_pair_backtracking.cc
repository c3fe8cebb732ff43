#include "tokenizer/byte_pair_backtracking.h"

#include <algorithm>

namespace bertha::tokenizer {
namespace {

using Entry = DoubleArrayTrie::Entry;

constexpr Symbol kFirstMerged = BytePairMerges::kFirstMerged;

}  // namespace

std::optional<BytePairBacktracking> BytePairBacktracking::Make(const BytePairMerges& merges) {
  std::optional<BytePairBacktracking> made = BytePairBacktracking(merges);
  if (!merges.are_in_order() || !made->Build()) made.reset();
  return made;
}

/// False if there are too many nodes.
bool BytePairBacktracking::Build() {
  std::vector<std::string> texts;
  std::vector<bool> is_token;
  FindTokens(texts, is_token);
  std::vector<Entry> entries;
  for (Symbol symbol = 0; symbol < texts.size(); ++symbol) {
    if (is_token[symbol]) entries.push_back({texts[symbol], static_cast<int32_t>(symbol)});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  const DoubleArrayTrie trie = DoubleArrayTrie::Build(entries);
  if (trie.node_limit() > kNodeLimit) return false;
  root_base_ = trie.BaseOf(DoubleArrayTrie::kRoot);
  nodes_.reserve(trie.node_limit());
  for (DoubleArrayTrie::Node node = 0; node < trie.node_limit(); ++node) {
    nodes_.push_back({trie.BaseOf(node) << 8 | trie.LabelOf(node), kNone});
  }
  for (const Entry& entry : entries) {
    nodes_[trie.Walk(DoubleArrayTrie::kRoot, entry.key)].symbol = static_cast<Symbol>(entry.value);
  }
  for (Symbol symbol = 0; symbol < texts.size(); ++symbol) {
    const absl::string_view text = texts[symbol];
    tokens_[symbol].shorter = text.size() == 1 ? kNone : Longest(text.substr(0, text.size() - 1)).symbol;
  }
  return true;
}

/// The bytes of every symbol, and whether merging makes it of them: so it does if its parts are such tokens and no
/// earlier merge comes between them.
void BytePairBacktracking::FindTokens(std::vector<std::string>& texts, std::vector<bool>& is_token) {
  for (unsigned byte = 0; byte < kFirstMerged; ++byte) {
    texts.push_back(std::string(1, static_cast<char>(byte)));
    is_token.push_back(true);
    tokens_.push_back({{}, kNone, 1});
  }
  for (const BytePairMerges::Merge& merge : merges_.merges()) {
    texts.push_back(texts[merge.left] + texts[merge.right]);
    tokens_.push_back({merge, kNone, static_cast<uint32_t>(texts.back().size())});
    is_token.push_back(is_token[merge.left] && is_token[merge.right] && PartsMayMeet(merge.left, merge.right));
  }
}

/// Whether no merge crosses the border between two tokens while they are made; it might once they are whole. Goes back
/// in time from there.
bool BytePairBacktracking::PartsMayMeet(Symbol left, Symbol right) const {
  uint32_t rank_limit;
  do {
    // The later of the two is undone; of equal ones the left one was made first.
    const bool undoes_left = left > right;
    const Symbol later = undoes_left ? left : right;
    if (later < kFirstMerged) return true;
    const BytePairMerges::Merge& merge = tokens_[later].parts;
    // The merge that made the left one came before another of its rank that begins with its right part, and the one
    // that made the right one after another of its rank that ends with its left part.
    rank_limit = later - kFirstMerged + (undoes_left ? 0 : 1);
    left = undoes_left ? merge.right : left;
    right = undoes_left ? right : merge.left;
  } while (!merges_.HasRankBelow(rank_limit, left, right));
  return false;
}

void BytePairBacktracking::Encode(absl::string_view word, BytePairScratch& scratch,
                                  std::vector<WordToken>& tokens) const {
  std::vector<uint64_t>& dead_ends = scratch.dead_ends;
  dead_ends.assign(word.size() / 64 + 1, 0);
  const size_t first = tokens.size();
  const char* const text = word.data();
  const size_t size = word.size();
  size_t at = 0;
  Symbol last = kNone;
  // Whether the last token is the longest one at its place. No merge makes a longer one of it and the next one then, or
  // just one that is no token, since another crosses the border before.
  bool last_is_longest = true;
  while (at < size) {
    Candidate next = Longest({text + at, size - at});
    bool is_longest = true;
    for (;;) {
      const size_t end = at + next.size;
      if ((dead_ends[end / 64] >> end % 64 & 1) == 0 &&
          (last == kNone || ((last_is_longest || merges_.RankOf(last, next.symbol) == BytePairMerges::kNoRank) &&
                             PartsMayMeet(last, next.symbol)))) {
        at = end;
        tokens.push_back({static_cast<int32_t>(next.symbol), at});
        last = next.symbol;
        last_is_longest = is_longest;
        break;
      }
      next = Shorter(next.symbol);
      is_longest = false;
      while (next.symbol == kNone) {
        dead_ends[at / 64] |= uint64_t{1} << at % 64;
        next = Shorter(last);
        tokens.pop_back();
        last_is_longest = false;
        if (tokens.size() == first) {
          at = 0;
          last = kNone;
        } else {
          at = tokens.back().end;
          last = static_cast<Symbol>(tokens.back().id);
        }
      }
    }
  }
  for (size_t i = first; i < tokens.size(); ++i) tokens[i].id = merges_.IdOf(static_cast<Symbol>(tokens[i].id));
}

}  // namespace bertha::tokenizer
