// How many tokens of each text stay when both together are too long.
//
// Source: the "longest_first" strategy of Hugging Face `tokenizers`. Constant time.
#ifndef BERTHA_TOKENIZER_TRUNCATION_H_
#define BERTHA_TOKENIZER_TRUNCATION_H_

#include <cstddef>

namespace bertha::tokenizer {

struct Lengths {
  size_t first, second;
};

/// Cuts to `room` tokens together: the shorter text stays whole if it fits in half of the room; otherwise each gets
/// half, and the odd token goes to the longer one, or to the second if they are equally long.
Lengths TruncateLongestFirst(Lengths lengths, size_t room);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TRUNCATION_H_
