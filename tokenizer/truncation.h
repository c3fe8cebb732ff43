// What stays of texts that are too long, and the windows over the rest.
//
// Source: Hugging Face `tokenizers`, truncate_encodings and Encoding::truncate; what raises or panics there is
// INVALID_ARGUMENT here.
#ifndef BERTHA_TOKENIZER_TRUNCATION_H_
#define BERTHA_TOKENIZER_TRUNCATION_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer {

/// Numbers of tokens, special ones not included.
struct Lengths {
  size_t first, second;
};

/// Cuts to `room` tokens together: the shorter text stays whole if it fits in half of the room; otherwise each gets
/// half, and the odd token goes to the longer one, or to the second if they are equally long. Constant time.
Lengths TruncateLongestFirst(Lengths lengths, size_t room);

/// What `options` leave of the texts if there is `room` for so many tokens. INVALID_ARGUMENT if the one text that may
/// be cut would not be left a token, or if windows would not advance. Without any room nothing is left, and that is no
/// error.
absl::StatusOr<Lengths> Truncate(Lengths lengths, bool is_pair, size_t room, const EncodeOptions& options);

/// Replaces the content of `windows` by ranges of at most `kept` of `length` tokens, each of which shares `stride`
/// tokens with the one before; first the one that truncation leaves, which begins, or on the left ends, with the text.
/// The last may be short. If nothing is kept, there is an empty window and one of everything. Requires stride < kept,
/// or kept == 0.
void MakeWindows(size_t length, size_t kept, size_t stride, TruncationSide side, std::vector<Span>& windows);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TRUNCATION_H_
