// The sections `truncation` and `padding` of tokenizer.json: what the file would have done when nobody says otherwise.
//
// Errors: INVALID_ARGUMENT with the JSON path of a wrong type, UNIMPLEMENTED for a strategy or direction with another
// name. Source: Hugging Face `tokenizers`, TruncationParams and PaddingParams.
#ifndef BERTHA_TOKENIZER_FILE_DEFAULTS_H_
#define BERTHA_TOKENIZER_FILE_DEFAULTS_H_

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/tokenizer.h"

namespace bertha::tokenizer {

absl::StatusOr<EncodeOptions> ReadTruncation(const JsonValue& json);
absl::StatusOr<Padding> ReadPadding(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_FILE_DEFAULTS_H_
