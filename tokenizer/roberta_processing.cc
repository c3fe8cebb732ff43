#include "tokenizer/roberta_processing.h"

#include <utility>
#include <vector>

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

absl::StatusOr<std::vector<OffsetTrim>> ReadTrims(const JsonValue& json) {
  bool trim_offsets = false, add_prefix_space = false;
  TOKENIZER_RETURN_IF_ERROR(json.Read("trim_offsets", &trim_offsets));
  TOKENIZER_RETURN_IF_ERROR(json.Read("add_prefix_space", &add_prefix_space));
  std::vector<OffsetTrim> trims;
  if (trim_offsets) trims.push_back({add_prefix_space});
  return trims;
}

}  // namespace

absl::StatusOr<PostProcessor> MakeRobertaProcessing(const JsonValue& json) {
  using P = TemplatePiece;
  TOKENIZER_ASSIGN_OR_RETURN(const P sep, ReadSpecialPiece(json, "sep"));
  TOKENIZER_ASSIGN_OR_RETURN(const P cls, ReadSpecialPiece(json, "cls"));
  TOKENIZER_ASSIGN_OR_RETURN(std::vector<OffsetTrim> trims, ReadTrims(json));
  return PostProcessor({cls, P::First(0), sep}, {cls, P::First(0), sep, sep, P::Second(0, 0), sep}, std::move(trims));
}

absl::StatusOr<PostProcessor> MakeByteLevelProcessing(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(std::vector<OffsetTrim> trims, ReadTrims(json));
  return PostProcessor::Plain().WithTrims(std::move(trims));
}

}  // namespace bertha::tokenizer
