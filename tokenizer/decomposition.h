// NFD and NFKD: every character in its canonical, or its compatibility, decomposition, and marks in canonical order.
//
// Thread-safety: immutable. Time: linear, however long a run of marks is.
// Source: Unicode Standard Annex 15, "Unicode Normalization Forms", with the data of Unicode 9 as in Hugging Face
// `tokenizers`; which hands the places of a run of marks out in their old order, one to the first part of each
// character in the new order.
#ifndef BERTHA_TOKENIZER_DECOMPOSITION_H_
#define BERTHA_TOKENIZER_DECOMPOSITION_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/stages.h"

namespace bertha::tokenizer {

/// {"type": "NFD"}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNfd(const JsonValue& json);
/// {"type": "NFKD"}
absl::StatusOr<std::unique_ptr<const Normalizer>> MakeNfkd(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_DECOMPOSITION_H_
