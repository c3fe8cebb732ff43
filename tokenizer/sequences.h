// Normalizers, pre-tokenizers and post-processors in a row: the components named Sequence.
//
// Source: Hugging Face `tokenizers`, normalizers::Sequence, pre_tokenizers::Sequence and
// processors::sequence.
// Thread-safety: immutable.
#ifndef BERTHA_TOKENIZER_SEQUENCES_H_
#define BERTHA_TOKENIZER_SEQUENCES_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "Sequence", "normalizers": [...]}. A sequence of one is that one.
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNormalizerSequence(const JsonValue& json);

/// {"type": "Sequence", "pretokenizers": [...]}
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizerSequence(const JsonValue& json);

/// {"type": "Sequence", "processors": [...]}. All but the last must be ByteLevel.
absl::StatusOr<PostProcessor> MakePostProcessorSequence(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SEQUENCES_H_
