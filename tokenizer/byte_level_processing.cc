#include "tokenizer/byte_level_processing.h"

#include <utility>
#include <vector>

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeByteLevelProcessing(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(std::vector<OffsetTrim> trims, ReadOffsetTrims(json));
  return PostProcessor::Plain().WithTrims(std::move(trims));
}

}  // namespace bertha::tokenizer
