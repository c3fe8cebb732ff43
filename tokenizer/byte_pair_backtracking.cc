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
  for (uint32_t rank = 0; rank < merges_.merges().size(); ++rank) {
    const BytePairMerges::Merge& merge = merges_.merges()[rank];
    texts.push_back(texts[merge.left] + texts[merge.right]);
    is_token.push_back(is_token[merge.left] && is_token[merge.right] && MayFollow(merge.left, merge.right, rank));
  }
}

/// Whether no merge below `rank_limit` crosses the border between two tokens, at any time while they are made. Goes
/// back in time from the end, when they are whole.
bool BytePairBacktracking::MayFollow(Symbol left, Symbol right, uint32_t rank_limit) const {
  for (;;) {
    if (merges_.RankOf(left, right) < rank_limit) return false;
    // The later of the two is undone; of equal ones the left one was made first.
    if (left > right) {
      if (left < kFirstMerged) return true;
      // The merge that made it came before another of its rank that begins with its right part.
      rank_limit = left - kFirstMerged;
      left = merges_.merges()[rank_limit].right;
    } else {
      if (right < kFirstMerged) return true;
      // The merge that made it comes after another of its rank that ends with its left part.
      rank_limit = right - kFirstMerged + 1;
      right = merges_.merges()[rank_limit - 1].left;
    }
  }
}

void BytePairBacktracking::Encode(absl::string_view word, BytePairScratch& scratch,
                                  std::vector<WordToken>& tokens) const {
  std::vector<uint64_t>& dead_ends = scratch.dead_ends;
  dead_ends.assign(word.size() / 64 + 1, 0);
  scratch.may_follow.UseFor(number_);
  const size_t first = tokens.size();
  const auto fits = [&](Symbol candidate, size_t end) {
    if ((dead_ends[end / 64] >> end % 64 & 1) != 0) return false;
    if (tokens.size() == first) return true;
    const auto last = static_cast<Symbol>(tokens.back().id);
    return scratch.may_follow.Get(last, candidate, [&] { return MayFollow(last, candidate, BytePairMerges::kNoRank); });
  };
  size_t at = 0;
  Candidate next = Longest(word);
  while (at < word.size()) {
    if (next.symbol == kNone) {
      dead_ends[at / 64] |= uint64_t{1} << at % 64;
      next = Shorter(static_cast<Symbol>(tokens.back().id));
      tokens.pop_back();
      at = tokens.size() == first ? 0 : tokens.back().end;
    } else if (fits(next.symbol, at + next.size)) {
      at += next.size;
      tokens.push_back({static_cast<int32_t>(next.symbol), at});
      next = Longest(word.substr(at));
    } else {
      next = Shorter(next.symbol);
    }
  }
  for (size_t i = first; i < tokens.size(); ++i) tokens[i].id = merges_.IdOf(static_cast<Symbol>(tokens[i].id));
}

}  // namespace bertha::tokenizer
