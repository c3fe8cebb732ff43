#include "tokenizer/byte_pair_merges.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

constexpr size_t kNowhere = static_cast<size_t>(-1);
constexpr int32_t kNoId = -1;
constexpr uint8_t kNoLevel = 255;

using Part = BytePairScratch::Part;
using Candidate = BytePairScratch::Candidate;

/// Order of the heap: on top is the lowest rank, and of equal ones the leftmost.
bool ComesLater(const Candidate& a, const Candidate& b) { return a.rank != b.rank ? a.rank > b.rank : a.at > b.at; }

/// "a b" or ["a", "b"]
absl::StatusOr<std::pair<std::string, std::string>> ReadPair(const JsonValue& json) {
  std::vector<std::string> parts;
  if (json.is_string()) {
    TOKENIZER_ASSIGN_OR_RETURN(const std::string text, json.AsString());
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      return json.Invalid(absl::StrCat(Quoted(text), " is not two tokens with a space between them"));
    }
    return std::make_pair(text.substr(0, space), text.substr(space + 1));
  }
  TOKENIZER_RETURN_IF_ERROR(json.ForEachElement([&](const JsonValue& part) -> absl::Status {
    TOKENIZER_ASSIGN_OR_RETURN(parts.emplace_back(), part.AsString());
    return absl::OkStatus();
  }));
  if (parts.size() != 2) return json.Invalid(absl::StrCat("must be two tokens, is ", parts.size()));
  return std::make_pair(std::move(parts[0]), std::move(parts[1]));
}

}  // namespace

class BytePairMerges::Builder {
 public:
  explicit Builder(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  absl::StatusOr<BytePairMerges> Build(const JsonValue& json, const std::optional<Unknown>& unknown) {
    TOKENIZER_RETURN_IF_ERROR(AddBytes(json, unknown.has_value()));
    TOKENIZER_RETURN_IF_ERROR(json.ForEachElement([&](const JsonValue& merge) { return ReadMerge(merge); }));
    NumberSymbols();
    built_.unknown_ = unknown;
    if (unknown) built_.unknown_symbol_ = SymbolOf(unknown->id);
    TOKENIZER_RETURN_IF_ERROR(FillSlots(json));
    built_.in_order_ = has_all_bytes_ && AreInOrder();
    return std::move(built_);
  }

 private:
  struct MergeOfIds {
    int32_t left, right, result;
  };

  absl::Status AddBytes(const JsonValue& json, bool may_lack) {
    for (const std::string& character : ByteAlphabet()) {
      const std::optional<int32_t> id = vocabulary_.Find(character);
      if (id) {
        symbols_.emplace(*id, static_cast<Symbol>(built_.ids_.size()));
      } else if (may_lack) {
        has_all_bytes_ = false;
      } else {
        return json.Invalid(absl::StrCat("byte ", built_.ids_.size(), ", ", Quoted(character),
                                         ", is not in the vocabulary, and there is no unk_token"));
      }
      built_.ids_.push_back(id.value_or(kNoId));
    }
    return absl::OkStatus();
  }

  absl::Status ReadMerge(const JsonValue& json) {
    // The reference library takes such a line for the first one of a merges.txt.
    if (json.is_string() && json.AsString()->rfind("#version", 0) == 0) return absl::OkStatus();
    TOKENIZER_ASSIGN_OR_RETURN(const auto pair, ReadPair(json));
    MergeOfIds merge;
    TOKENIZER_ASSIGN_OR_RETURN(merge.left, Find(json, pair.first));
    TOKENIZER_ASSIGN_OR_RETURN(merge.right, Find(json, pair.second));
    TOKENIZER_ASSIGN_OR_RETURN(merge.result, Find(json, pair.first + pair.second));
    merges_.push_back(merge);
    return absl::OkStatus();
  }

  absl::StatusOr<int32_t> Find(const JsonValue& json, const std::string& token) const {
    const std::optional<int32_t> id = vocabulary_.Find(token);
    if (!id) return json.Invalid(absl::StrCat(Quoted(token), " is not in the vocabulary"));
    return *id;
  }

  void NumberSymbols() {
    for (const MergeOfIds& merge : merges_) {
      symbols_.emplace(merge.result, static_cast<Symbol>(built_.ids_.size()));
      built_.ids_.push_back(merge.result);
    }
    for (const MergeOfIds& merge : merges_) {
      built_.merges_.push_back({SymbolOf(merge.left), SymbolOf(merge.right)});
      built_.results_.push_back(SymbolOf(merge.result));
    }
  }

  Symbol SymbolOf(int32_t id) {
    const auto [found, is_new] = symbols_.emplace(id, static_cast<Symbol>(built_.ids_.size()));
    if (is_new) built_.ids_.push_back(id);
    return found->second;
  }

  absl::Status FillSlots(const JsonValue& json) {
    size_t size = 1;
    while (size < 2 * built_.merges_.size() + 1) size *= 2;
    built_.slots_.assign(size, kNoRank);
    built_.levels_.assign(size, kNoLevel);
    built_.maybe_.assign(std::max<size_t>(1, size / 8), 0);
    while (built_.rank_mask_ < built_.merges_.size()) built_.rank_mask_ = 2 * built_.rank_mask_ + 1;
    while (built_.merges_.size() >> built_.level_shift_ >= kNoLevel) ++built_.level_shift_;
    for (size_t rank = 0; rank < built_.merges_.size(); ++rank) {
      const Merge& merge = built_.merges_[rank];
      if (built_.RankOf(merge.left, merge.right) != kNoRank) {
        return json.Invalid(
            absl::StrCat("the pair ", Quoted(TextOf(merge.left)), " ", Quoted(TextOf(merge.right)), " is there twice"));
      }
      const uint64_t hash = HashOf(merge.left, merge.right);
      built_.maybe_[hash / 64 & (built_.maybe_.size() - 1)] |= uint64_t{1} << hash % 64;
      size_t slot = built_.SlotOf(hash);
      built_.levels_[slot] = std::min(built_.levels_[slot], static_cast<uint8_t>(rank >> built_.level_shift_));
      while (built_.slots_[slot] != kNoRank) slot = (slot + 1) & (size - 1);
      built_.slots_[slot] = static_cast<uint32_t>(rank) | built_.TagOf(hash);
    }
    return absl::OkStatus();
  }

  bool AreInOrder() const {
    for (size_t rank = 0; rank < built_.merges_.size(); ++rank) {
      const Merge& merge = built_.merges_[rank];
      const size_t symbol = kFirstMerged + rank;
      if (built_.results_[rank] != symbol || std::max(merge.left, merge.right) >= symbol) return false;
    }
    return true;
  }

  absl::string_view TextOf(Symbol symbol) const {
    return vocabulary_.TextOf(built_.IdOf(symbol)).value_or(absl::string_view());
  }

  const Vocabulary& vocabulary_;
  BytePairMerges built_;
  std::vector<MergeOfIds> merges_;
  std::unordered_map<int32_t, Symbol> symbols_;  // by id
  bool has_all_bytes_ = true;
};

absl::StatusOr<BytePairMerges> BytePairMerges::FromJson(const JsonValue& json, const Vocabulary& vocabulary,
                                                        const std::optional<Unknown>& unknown) {
  return Builder(vocabulary).Build(json, unknown);
}

void BytePairMerges::Encode(absl::string_view word, BytePairScratch& scratch, std::vector<WordToken>& tokens) const {
  Start(word, scratch);
  std::vector<Part>& parts = scratch.parts;
  std::vector<Candidate>& candidates = scratch.candidates;
  while (!candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end(), ComesLater);
    const Candidate candidate = candidates.back();
    candidates.pop_back();
    Part& left = parts[candidate.at];
    if (left.size == 0 || left.next == kNowhere) continue;
    Part& right = parts[left.next];
    // One of the two has been merged with another since.
    if (RankOf(left.symbol, right.symbol) != candidate.rank) continue;
    left.symbol = results_[candidate.rank];
    left.size += right.size;
    left.next = right.next;
    right.size = 0;
    if (left.next != kNowhere) parts[left.next].previous = candidate.at;
    if (left.previous != kNowhere) AddCandidate(left.previous, scratch);
    AddCandidate(candidate.at, scratch);
  }
  size_t end = 0;
  for (const Part& part : parts) {
    if (part.size != 0) tokens.push_back({IdOf(part.symbol), end += part.size});
  }
}

/// The parts are the bytes, and the candidates their pairs.
void BytePairMerges::Start(absl::string_view word, BytePairScratch& scratch) const {
  std::vector<Part>& parts = scratch.parts;
  parts.clear();
  scratch.candidates.clear();
  bool after_unknown = false;
  for (const char byte : word) {
    const Symbol symbol = static_cast<unsigned char>(byte);
    const bool is_unknown = IdOf(symbol) == kNoId;
    if (is_unknown && after_unknown && unknown_->fuse) {
      ++parts.back().size;
      continue;
    }
    after_unknown = is_unknown;
    const size_t at = parts.size();
    if (at > 0) parts.back().next = at;
    parts.push_back({is_unknown ? unknown_symbol_ : symbol, 1, at == 0 ? kNowhere : at - 1, kNowhere});
  }
  for (size_t at = 0; at < parts.size(); ++at) AddCandidate(at, scratch);
}

void BytePairMerges::AddCandidate(size_t at, BytePairScratch& scratch) const {
  const Part& left = scratch.parts[at];
  if (left.next == kNowhere) return;
  const uint32_t rank = RankOf(left.symbol, scratch.parts[left.next].symbol);
  if (rank == kNoRank) return;
  scratch.candidates.push_back({rank, at});
  std::push_heap(scratch.candidates.begin(), scratch.candidates.end(), ComesLater);
}

}  // namespace bertha::tokenizer
