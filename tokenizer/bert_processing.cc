#include "tokenizer/bert_processing.h"

#include <string>

#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

struct SpecialToken {
  std::string text;
  int32_t id = 0;
};

/// A member such as `"sep": ["[SEP]", 102]`.
absl::StatusOr<SpecialToken> ReadTokenAndId(const JsonValue& json, absl::string_view key) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, json.Get(key));
  size_t count = 0;
  SpecialToken token;
  TOKENIZER_RETURN_IF_ERROR(member.ForEachElement([&](const JsonValue& element) -> absl::Status {
    if (++count == 1) {
      TOKENIZER_ASSIGN_OR_RETURN(token.text, element.AsString());
    } else {
      TOKENIZER_ASSIGN_OR_RETURN(token.id, element.AsId());
    }
    return absl::OkStatus();
  }));
  if (count != 2) return member.Invalid("must be a token and its id");
  return token;
}

}  // namespace

absl::StatusOr<PostProcessor> MakeBertProcessing(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(const SpecialToken sep, ReadTokenAndId(json, "sep"));
  TOKENIZER_ASSIGN_OR_RETURN(const SpecialToken cls, ReadTokenAndId(json, "cls"));
  using P = TemplatePiece;
  const P begin = P::Special(cls.id, cls.text, 0), end = P::Special(sep.id, sep.text, 0);
  return PostProcessor({begin, P::First(0), end},
                       {begin, P::First(0), end, P::Second(1), P::Special(sep.id, sep.text, 1)});
}

}  // namespace bertha::tokenizer
