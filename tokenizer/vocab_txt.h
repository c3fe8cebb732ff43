// A BERT vocabulary as a vocab.txt: one token a line, its id is the number of the line from 0.
//
// Thread-safety: pure function.
// Source: Devlin et al., "BERT", NAACL 2019, whose code has these files; transformers' load_vocab for how lines are
// read.
#ifndef BERTHA_TOKENIZER_VOCAB_TXT_H_
#define BERTHA_TOKENIZER_VOCAB_TXT_H_

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "tokenizer/source_file.h"
#include "tokenizer/tokenizer_config.h"

namespace bertha::tokenizer {

/// The tokenizer.json of bert-base-uncased with this vocabulary. `config` may say do_lower_case (default true: a
/// vocabulary does not tell), strip_accents (default: as lower case) and tokenize_chinese_chars (default true). Of a
/// token that is there twice the last line counts, as in transformers. INVALID_ARGUMENT names the line, or the special
/// token that is missing.
absl::StatusOr<nlohmann::json> FromVocabTxt(const SourceFile& vocab, const TokenizerConfig& config);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_VOCAB_TXT_H_
