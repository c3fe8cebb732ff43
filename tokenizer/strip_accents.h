// StripAccents: removes marks of all kinds (nonspacing, spacing and enclosing ones, of Unicode 9).
//
// Only marks that are characters of their own: precomposed letters keep theirs, so a decomposition comes before.
// Thread-safety: immutable. Source: Hugging Face `tokenizers`, normalizers::StripAccents.
#ifndef BERTHA_TOKENIZER_STRIP_ACCENTS_H_
#define BERTHA_TOKENIZER_STRIP_ACCENTS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "StripAccents"}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeStripAccents(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_STRIP_ACCENTS_H_
