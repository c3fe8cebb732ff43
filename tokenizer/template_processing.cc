#include "tokenizer/template_processing.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

struct SpecialToken {
  std::vector<int32_t> ids;
  std::vector<std::string> texts;
};
using SpecialTokens = std::map<std::string, SpecialToken>;

absl::StatusOr<SpecialTokens> ReadSpecialTokens(const JsonValue& json) {
  SpecialTokens tokens;
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue members, json.Get("special_tokens"));
  TOKENIZER_RETURN_IF_ERROR(members.ForEachMember([&](const std::string& name, const JsonValue& token) -> absl::Status {
    TOKENIZER_ASSIGN_OR_RETURN(const JsonValue ids, token.Get("ids"));
    TOKENIZER_ASSIGN_OR_RETURN(const JsonValue texts, token.Get("tokens"));
    SpecialToken& special = tokens[name];
    TOKENIZER_RETURN_IF_ERROR(ids.ForEachElement([&](const JsonValue& element) -> absl::Status {
      TOKENIZER_ASSIGN_OR_RETURN(special.ids.emplace_back(), element.AsId());
      return absl::OkStatus();
    }));
    TOKENIZER_RETURN_IF_ERROR(texts.ForEachElement([&](const JsonValue& element) -> absl::Status {
      TOKENIZER_ASSIGN_OR_RETURN(special.texts.emplace_back(), element.AsString());
      return absl::OkStatus();
    }));
    if (special.ids.size() != special.texts.size()) return token.Invalid("must have as many ids as tokens");
    return absl::OkStatus();
  }));
  return tokens;
}

absl::Status AppendSpecial(const JsonValue& json, const SpecialTokens& tokens, Template* pieces) {
  std::string name;
  int32_t type_id = 0;
  TOKENIZER_RETURN_IF_ERROR(json.Read("id", &name));
  TOKENIZER_RETURN_IF_ERROR(json.ReadId("type_id", &type_id));
  const auto found = tokens.find(name);
  if (found == tokens.end()) return json.Invalid(absl::StrCat(Quoted(name), " is not among the special_tokens"));
  const SpecialToken& special = found->second;
  for (size_t i = 0; i < special.ids.size(); ++i) {
    pieces->push_back(TemplatePiece::Special(special.ids[i], special.texts[i], type_id));
  }
  return absl::OkStatus();
}

absl::Status AppendSequence(const JsonValue& json, bool is_pair, Template* pieces) {
  std::string name;
  int32_t type_id = 0;
  TOKENIZER_RETURN_IF_ERROR(json.Read("id", &name));
  TOKENIZER_RETURN_IF_ERROR(json.ReadId("type_id", &type_id));
  if (name == "A") {
    pieces->push_back(TemplatePiece::First(type_id));
  } else if (name == "B" && is_pair) {
    pieces->push_back(TemplatePiece::Second(type_id));
  } else {
    return json.Invalid(absl::StrCat("no sequence ", Quoted(name), " here"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Template> ReadTemplate(const JsonValue& json, bool is_pair, const SpecialTokens& tokens) {
  Template pieces;
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue array, json.Get(is_pair ? "pair" : "single"));
  TOKENIZER_RETURN_IF_ERROR(array.ForEachElement([&](const JsonValue& piece) -> absl::Status {
    if (const auto special = piece.Find("SpecialToken")) return AppendSpecial(*special, tokens, &pieces);
    if (const auto sequence = piece.Find("Sequence")) return AppendSequence(*sequence, is_pair, &pieces);
    return piece.Invalid("must be a SpecialToken or a Sequence");
  }));
  return pieces;
}

}  // namespace

absl::StatusOr<PostProcessor> MakeTemplateProcessing(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(const SpecialTokens tokens, ReadSpecialTokens(json));
  TOKENIZER_ASSIGN_OR_RETURN(Template single, ReadTemplate(json, false, tokens));
  TOKENIZER_ASSIGN_OR_RETURN(Template pair, ReadTemplate(json, true, tokens));
  return PostProcessor(std::move(single), std::move(pair));
}

}  // namespace bertha::tokenizer
