// BertProcessing: [CLS] A [SEP], or [CLS] A [SEP] B [SEP] with type 1 from B on.
//
// Source: Devlin et al., "BERT", arXiv:1810.04805, section 3.
#ifndef BERTHA_TOKENIZER_BERT_PROCESSING_H_
#define BERTHA_TOKENIZER_BERT_PROCESSING_H_

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeBertProcessing(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BERT_PROCESSING_H_
