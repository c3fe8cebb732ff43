// Normalizers and pre-tokenizers in a row: the components named Sequence.
//
// Source: Hugging Face `tokenizers`, normalizers::Sequence and pre_tokenizers::Sequence.
// Thread-safety: immutable.
#ifndef BERTHA_TOKENIZER_SEQUENCES_H_
#define BERTHA_TOKENIZER_SEQUENCES_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "Sequence", "normalizers": [...]}. A sequence of one is that one.
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizerSequence(const JsonValue& json);

/// {"type": "Sequence", "pretokenizers": [...]}
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizerSequence(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SEQUENCES_H_
