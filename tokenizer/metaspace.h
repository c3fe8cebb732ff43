// Metaspace: spaces become a visible character, usually ▁; words may get one in front, and begin at each of them.
//
// The files of 2020 say `add_prefix_space`, later ones `prepend_scheme` and `split`; `str_rep` means nothing.
// Thread-safety: immutable.
// Source: sentencepiece, "Whitespace is treated as a basic symbol"; Hugging Face `tokenizers`,
// pre_tokenizers::Metaspace.
#ifndef BERTHA_TOKENIZER_METASPACE_H_
#define BERTHA_TOKENIZER_METASPACE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "Metaspace", "replacement": one character, "prepend_scheme"?: "always" or "never",
///  "add_prefix_space"?: bool, "split"?: bool}
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeMetaspace(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_METASPACE_H_
