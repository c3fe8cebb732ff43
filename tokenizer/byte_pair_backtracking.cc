#include "tokenizer/byte_pair_backtracking.h"

#include <algorithm>

namespace bertha::tokenizer {
namespace {

using Entry = DoubleArrayTrie::Entry;

constexpr Symbol kFirstMerged = BytePairMerges::kFirstMerged;

}  // namespace

BytePairBacktracking::BytePairBacktracking(const BytePairMerges& merges) : merges_(merges) {
  std::vector<std::string> texts;
  std::vector<bool> is_token;
  FindTokens(texts, is_token);
  std::vector<Entry> entries;
  for (Symbol symbol = 0; symbol < texts.size(); ++symbol) {
    if (is_token[symbol]) entries.push_back({texts[symbol], static_cast<int32_t>(symbol)});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  trie_ = DoubleArrayTrie::Build(entries);
  symbols_.assign(trie_.node_limit(), kNone);
  for (const Entry& entry : entries) {
    symbols_[trie_.Walk(DoubleArrayTrie::kRoot, entry.key)] = static_cast<Symbol>(entry.value);
  }
  for (const std::string& text : texts) {
    tokens_.push_back({static_cast<uint32_t>(text.size()),
                       text.size() == 1 ? kNone : Longest(absl::string_view(text).substr(0, text.size() - 1)).symbol});
  }
}

/// The bytes of every symbol, and whether merging makes it of them: so it does if its parts are such tokens and no
/// earlier merge comes between them.
void BytePairBacktracking::FindTokens(std::vector<std::string>& texts, std::vector<bool>& is_token) const {
  for (unsigned byte = 0; byte < kFirstMerged; ++byte) {
    texts.push_back(std::string(1, static_cast<char>(byte)));
    is_token.push_back(true);
  }
  for (const BytePairMerges::Merge& merge : merges_.merges()) {
    texts.push_back(texts[merge.left] + texts[merge.right]);
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
    const BytePairMerges::Merge& merge = merges_.merges()[later - kFirstMerged];
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
  // Whether the last token is the longest one at its place. No merge makes a longer one of it and the next one then, or
  // just one that is no token, since another crosses the border before.
  bool last_is_longest = false;
  const auto fits = [&](Symbol candidate, size_t end) {
    if ((dead_ends[end / 64] >> end % 64 & 1) != 0) return false;
    if (tokens.size() == first) return true;
    const auto last = static_cast<Symbol>(tokens.back().id);
    if (!last_is_longest && merges_.RankOf(last, candidate) != BytePairMerges::kNoRank) return false;
    return PartsMayMeet(last, candidate);
  };
  size_t at = 0;
  Candidate next = Longest(word);
  bool next_is_longest = true;
  while (at < word.size()) {
    if (next.symbol == kNone) {
      dead_ends[at / 64] |= uint64_t{1} << at % 64;
      next = Shorter(static_cast<Symbol>(tokens.back().id));
      next_is_longest = false;
      tokens.pop_back();
      last_is_longest = false;
      at = tokens.size() == first ? 0 : tokens.back().end;
    } else if (fits(next.symbol, at + next.size)) {
      at += next.size;
      tokens.push_back({static_cast<int32_t>(next.symbol), at});
      last_is_longest = next_is_longest;
      next = Longest(word.substr(at));
      next_is_longest = true;
    } else {
      next = Shorter(next.symbol);
      next_is_longest = false;
    }
  }
  for (size_t i = first; i < tokens.size(); ++i) tokens[i].id = merges_.IdOf(static_cast<Symbol>(tokens[i].id));
}

}  // namespace bertha::tokenizer
