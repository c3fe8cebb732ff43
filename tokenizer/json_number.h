// The value of a number with a fraction or an exponent as the reference library reads it.
//
// Thread-safety: pure function.
// Source: the Rust crate serde_json, in the configuration in which Hugging Face `tokenizers` uses it: the digits as an
// integer of 64 bits, rounded once, and then multiplied or divided by a power of ten, rounded again. About one in seven
// of the scores of a vocabulary is off by one unit in the last place for that.
#ifndef BERTHA_TOKENIZER_JSON_NUMBER_H_
#define BERTHA_TOKENIZER_JSON_NUMBER_H_

#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// `text`: a number in the grammar of JSON. Infinity if it is out of range.
double JsonNumber(absl::string_view text);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_JSON_NUMBER_H_
