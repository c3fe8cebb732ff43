#include "tokenizer/truncation.h"

#include <algorithm>

namespace bertha::tokenizer {

Lengths TruncateLongestFirst(Lengths lengths, size_t room) {
  if (lengths.first + lengths.second <= room) return lengths;
  const size_t shorter = std::min({lengths.first, lengths.second, room / 2});
  const size_t longer = room - shorter;
  return lengths.first > lengths.second ? Lengths{longer, shorter} : Lengths{shorter, longer};
}

}  // namespace bertha::tokenizer
