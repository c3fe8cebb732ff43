// The files that a tokenizer can come as: a tokenizer.json, or a vocabulary from before it, which is rewritten in
// memory as the tokenizer.json that the Hugging Face hub publishes for its family.
//
// Thread-safety: pure function of the files.
#ifndef BERTHA_TOKENIZER_TOKENIZER_FILES_H_
#define BERTHA_TOKENIZER_TOKENIZER_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "tokenizer/source_file.h"

namespace bertha::tokenizer {

/// The tokenizer.json that `path` is or stands for; the result's path is the file that was read. `path` may be
///   - a tokenizer.json, which comes back as it is;
///   - a vocab.txt (BERT, DistilBERT);
///   - a vocab.json or merges.txt (RoBERTa, GPT-2), which needs the other one beside it;
///   - a spiece.model (XLNet, ALBERT);
///   - a folder: its tokenizer.json, or else the only vocabulary in it.
/// Content decides which it is, so that files may have other names. The tokenizer_config.json beside a vocabulary is
/// obeyed (see TokenizerConfig).
/// NOT_FOUND if there is no such file; INVALID_ARGUMENT and UNIMPLEMENTED name the file, the place and what is wrong. A
/// tokenizer.json is not checked here.
absl::StatusOr<SourceFile> ReadAsTokenizerJson(const std::string& path);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TOKENIZER_FILES_H_
