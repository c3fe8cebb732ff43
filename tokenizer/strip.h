// Strip: removes white space at the begin, at the end, or both.
//
// Thread-safety: immutable. Source: Hugging Face `tokenizers`, normalizers::Strip.
#ifndef BERTHA_TOKENIZER_STRIP_H_
#define BERTHA_TOKENIZER_STRIP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "Strip", "strip_left": bool, "strip_right": bool}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeStrip(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_STRIP_H_
