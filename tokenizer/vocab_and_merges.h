// A byte-level BPE vocabulary as a vocab.json, an object of token to id, and a merges.txt, one merge a line, best
// first.
//
// Thread-safety: pure function.
// Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, whose code has these files;
// BPE.from_file of Hugging Face `tokenizers` for how lines are read.
#ifndef BERTHA_TOKENIZER_VOCAB_AND_MERGES_H_
#define BERTHA_TOKENIZER_VOCAB_AND_MERGES_H_

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "tokenizer/source_file.h"
#include "tokenizer/tokenizer_config.h"

namespace bertha::tokenizer {

/// The tokenizer.json of roberta-base with this vocabulary if it has <s>, </s> and <mask>, or that of gpt2 if it has
/// <|endoftext|>. `config` may say add_prefix_space (default false) and, for RoBERTa, trim_offsets (default true).
/// The first line of `merges` may be "#version: ..."; every other one is a merge, the last one without a line end too.
/// INVALID_ARGUMENT names the JSON path in `vocab` or the line in `merges`: not two parts, a part or a result that is
/// not in the vocabulary, a merge that is there twice.
absl::StatusOr<nlohmann::json> FromVocabAndMerges(const SourceFile& vocab, const SourceFile& merges,
                                                  const TokenizerConfig& config);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_VOCAB_AND_MERGES_H_
