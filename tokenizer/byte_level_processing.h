// ByteLevel as a post-processor: no special tokens; it is there for its trim_offsets.
//
// Source: Hugging Face `tokenizers`, pre_tokenizers::byte_level.
#ifndef BERTHA_TOKENIZER_BYTE_LEVEL_PROCESSING_H_
#define BERTHA_TOKENIZER_BYTE_LEVEL_PROCESSING_H_

#include "absl/status/statusor.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/post_processor.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeByteLevelProcessing(const JsonValue& json);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_BYTE_LEVEL_PROCESSING_H_
