// Lowercase: the full lower case of every character by itself, so that a final sigma is no special case.
//
// Thread-safety: immutable.
// Source: The Unicode Standard, section 3.13, R2 toLowercase(X), without the conditions of SpecialCasing.txt; the data
// are those of the Rust standard library in Hugging Face `tokenizers`.
#ifndef BERTHA_TOKENIZER_LOWERCASE_H_
#define BERTHA_TOKENIZER_LOWERCASE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "Lowercase"}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeLowercase(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_LOWERCASE_H_
