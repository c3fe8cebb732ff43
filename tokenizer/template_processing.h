// TemplateProcessing: the templates for one text and for a pair are spelled out in tokenizer.json.
//
// Source: Hugging Face `tokenizers`, documentation of TemplateProcessing. A special token of a template may stand for
// several ids.
#ifndef BERTHA_TOKENIZER_TEMPLATE_PROCESSING_H_
#define BERTHA_TOKENIZER_TEMPLATE_PROCESSING_H_

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeTemplateProcessing(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_TEMPLATE_PROCESSING_H_
