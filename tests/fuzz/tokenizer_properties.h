// What must hold of a tokenizer that was made of any bytes, and of the error if none was. Each function aborts
// (FUZZ_CHECK) if it does not.
#ifndef BERTHA_TESTS_FUZZ_TOKENIZER_PROPERTIES_H_
#define BERTHA_TESTS_FUZZ_TOKENIZER_PROPERTIES_H_

#include "absl/status/status.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer::fuzz {

/// One line of UTF-8, of a bounded length.
void CheckMessage(const absl::Status& status);

/// Takes a few fixed texts; offsets lie in them, at the borders of characters; ids are below vocab_size().
void CheckTokenizer(const Tokenizer& tokenizer);

}  // namespace bertha::tokenizer::fuzz

#endif  // BERTHA_TESTS_FUZZ_TOKENIZER_PROPERTIES_H_
