#include "tokenizer/bert_processing.h"

#include <string>

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

/// The id of a member such as `"sep": ["[SEP]", 102]`.
absl::StatusOr<int32_t> ReadTokenAndId(const JsonValue& json, absl::string_view key) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, json.Get(key));
  size_t count = 0;
  int32_t id = 0;
  TOKENIZER_RETURN_IF_ERROR(member.ForEachElement([&](const JsonValue& element) -> absl::Status {
    if (++count == 1) return element.AsString().status();
    TOKENIZER_ASSIGN_OR_RETURN(id, element.AsId());
    return absl::OkStatus();
  }));
  if (count != 2) return member.Invalid("must be a token and its id");
  return id;
}

}  // namespace

absl::StatusOr<PostProcessor> MakeBertProcessing(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(const int32_t sep, ReadTokenAndId(json, "sep"));
  TOKENIZER_ASSIGN_OR_RETURN(const int32_t cls, ReadTokenAndId(json, "cls"));
  using P = TemplatePiece;
  return PostProcessor({P::Special(cls, 0), P::First(0), P::Special(sep, 0)},
                       {P::Special(cls, 0), P::First(0), P::Special(sep, 0), P::Second(1), P::Special(sep, 1)});
}

}  // namespace bertha::tokenizer
