#include "tokenizer/roberta_processing.h"

#include <utility>
#include <vector>

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeRobertaProcessing(const JsonValue& json) {
  using P = TemplatePiece;
  TOKENIZER_ASSIGN_OR_RETURN(const P sep, ReadSpecialPiece(json, "sep"));
  TOKENIZER_ASSIGN_OR_RETURN(const P cls, ReadSpecialPiece(json, "cls"));
  TOKENIZER_ASSIGN_OR_RETURN(std::vector<OffsetTrim> trims, ReadOffsetTrims(json));
  return PostProcessor({cls, P::First(0), sep}, {cls, P::First(0), sep, sep, P::Second(0, 0), sep}, std::move(trims));
}

}  // namespace bertha::tokenizer
