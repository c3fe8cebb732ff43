// RobertaProcessing: <s> A </s>, or <s> A </s></s> B </s>, all of type 0.
//
// Source: Liu et al., "RoBERTa", arXiv:1907.11692; fairseq, roberta/hub_interface.py, encode.
#ifndef BERTHA_TOKENIZER_ROBERTA_PROCESSING_H_
#define BERTHA_TOKENIZER_ROBERTA_PROCESSING_H_

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeRobertaProcessing(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_ROBERTA_PROCESSING_H_
