#include "tokenizer/truncation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

/// Takes `excess` tokens from the one text that may be cut.
absl::Status Shorten(absl::string_view strategy, absl::string_view name, size_t excess, size_t& length) {
  if (length <= excess) {
    return absl::InvalidArgumentError(absl::StrCat("truncation ", strategy, ": ", excess, " tokens must go, but the ",
                                                   name, " text has only ", length));
  }
  length -= excess;
  return absl::OkStatus();
}

absl::StatusOr<Lengths> Cut(Lengths lengths, bool is_pair, size_t room, TruncationStrategy strategy) {
  const size_t excess = lengths.first + lengths.second - room;
  switch (strategy) {
    case TruncationStrategy::kLongestFirst:
      return is_pair ? TruncateLongestFirst(lengths, room) : Lengths{room, 0};
    case TruncationStrategy::kOnlyFirst:
      TOKENIZER_RETURN_IF_ERROR(Shorten("only_first", "first", excess, lengths.first));
      break;
    case TruncationStrategy::kOnlySecond:
      if (!is_pair) return absl::InvalidArgumentError("truncation only_second: there is no second text");
      TOKENIZER_RETURN_IF_ERROR(Shorten("only_second", "second", excess, lengths.second));
      break;
  }
  return lengths;
}

absl::Status CheckStride(absl::string_view name, size_t length, size_t kept, size_t stride) {
  if (kept == length || kept == 0 || stride < kept) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("stride ", stride, ": must be less than the ", kept,
                                                 " tokens that truncation leaves of the ", name, " text"));
}

}  // namespace

Lengths TruncateLongestFirst(Lengths lengths, size_t room) {
  if (lengths.first + lengths.second <= room) return lengths;
  const size_t shorter = std::min({lengths.first, lengths.second, room / 2});
  const size_t longer = room - shorter;
  return lengths.first > lengths.second ? Lengths{longer, shorter} : Lengths{shorter, longer};
}

absl::StatusOr<Lengths> Truncate(Lengths lengths, bool is_pair, size_t room, const EncodeOptions& options) {
  if (room == 0) return Lengths{0, 0};
  if (lengths.first + lengths.second <= room) return lengths;
  TOKENIZER_ASSIGN_OR_RETURN(const Lengths kept, Cut(lengths, is_pair, room, options.truncation_strategy));
  TOKENIZER_RETURN_IF_ERROR(CheckStride("first", lengths.first, kept.first, options.stride));
  TOKENIZER_RETURN_IF_ERROR(CheckStride("second", lengths.second, kept.second, options.stride));
  return kept;
}

void MakeWindows(size_t length, size_t kept, size_t stride, TruncationSide side, std::vector<Span>& windows) {
  windows.clear();
  if (kept >= length) {
    windows.push_back({0, length});
  } else if (kept == 0) {
    windows.push_back({0, 0});
    windows.push_back({0, length});
  } else if (side == TruncationSide::kRight) {
    for (size_t begin = 0; windows.empty() || windows.back().end < length; begin += kept - stride) {
      windows.push_back({begin, std::min(begin + kept, length)});
    }
  } else {
    for (size_t end = length; windows.empty() || windows.back().begin > 0; end -= kept - stride) {
      windows.push_back({end - std::min(end, kept), end});
    }
  }
}

}  // namespace bertha::tokenizer
