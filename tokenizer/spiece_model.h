// The vocabulary of XLNet or ALBERT as a spiece.model.
//
// Thread-safety: pure function.
// Source: Yang et al., "XLNet", NeurIPS 2019; Lan et al., "ALBERT", ICLR 2020; XLNetConverter and AlbertConverter of
// Hugging Face transformers, in the layout of 2020: user-defined pieces are plain vocabulary, and white space is split
// off before ▁ is put before each word.
#ifndef BERTHA_TOKENIZER_SPIECE_MODEL_H_
#define BERTHA_TOKENIZER_SPIECE_MODEL_H_

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "tokenizer/source_file.h"
#include "tokenizer/tokenizer_config.h"

namespace bertha::tokenizer {

/// The tokenizer.json of xlnet-base-cased with this vocabulary if it has <cls> and <sep>, or that of albert-base-v2 if
/// it has [CLS] and [SEP]. `config` may say do_lower_case (default: ALBERT true, XLNet false) and keep_accents (default
/// false). Errors as those of SentencePieceModel::Parse.
absl::StatusOr<nlohmann::json> FromSpieceModel(const SourceFile& file, const TokenizerConfig& config);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SPIECE_MODEL_H_
