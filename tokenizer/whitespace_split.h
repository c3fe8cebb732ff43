// WhitespaceSplit: words end at white space, which is dropped.
//
// Thread-safety: immutable. Source: Hugging Face `tokenizers`, pre_tokenizers::WhitespaceSplit.
#ifndef BERTHA_TOKENIZER_WHITESPACE_SPLIT_H_
#define BERTHA_TOKENIZER_WHITESPACE_SPLIT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "WhitespaceSplit"}
absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeWhitespaceSplit(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_WHITESPACE_SPLIT_H_
