// Replace: a fixed text becomes another one, from left to right, wherever it stands.
//
// Of the regular expressions that this component may hold, only those are known that files of the supported families
// have: ` {2,}`, two or more spaces.
// Thread-safety: immutable.
// Source: Hugging Face `tokenizers`, normalizers::Replace: what is put in comes from the last character replaced.
#ifndef BERTHA_TOKENIZER_REPLACE_H_
#define BERTHA_TOKENIZER_REPLACE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "Replace", "pattern": {"String": ...} or {"Regex": " {2,}"}, "content": ...}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeReplace(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_REPLACE_H_
