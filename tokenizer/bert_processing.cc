#include "tokenizer/bert_processing.h"

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {

absl::StatusOr<PostProcessor> MakeBertProcessing(const JsonValue& json) {
  using P = TemplatePiece;
  TOKENIZER_ASSIGN_OR_RETURN(const P sep, ReadSpecialPiece(json, "sep"));
  TOKENIZER_ASSIGN_OR_RETURN(const P cls, ReadSpecialPiece(json, "cls"));
  return PostProcessor({cls, P::First(0), sep},
                       {cls, P::First(0), sep, P::Second(1), P::Special(sep.id, sep.token, 1)});
}

}  // namespace bertha::tokenizer
