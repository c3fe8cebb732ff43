#include "tokenizer/file_defaults.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

/// Files from before there was a choice have no direction: they mean the right.
absl::StatusOr<bool> ReadIsLeft(const JsonValue& json) {
  const std::optional<JsonValue> direction = json.Find("direction");
  if (!direction) return false;
  TOKENIZER_ASSIGN_OR_RETURN(const std::string name, direction->AsString());
  if (name == "Left") return true;
  if (name == "Right") return false;
  return direction->Unknown(absl::StrCat(Quoted(name), " is not supported; known here: Left, Right"));
}

absl::StatusOr<TruncationStrategy> ReadStrategy(const JsonValue& json) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue strategy, json.Get("strategy"));
  TOKENIZER_ASSIGN_OR_RETURN(const std::string name, strategy.AsString());
  if (name == "LongestFirst") return TruncationStrategy::kLongestFirst;
  if (name == "OnlyFirst") return TruncationStrategy::kOnlyFirst;
  if (name == "OnlySecond") return TruncationStrategy::kOnlySecond;
  return strategy.Unknown(
      absl::StrCat(Quoted(name), " is not supported; known here: LongestFirst, OnlyFirst, OnlySecond"));
}

}  // namespace

absl::StatusOr<EncodeOptions> ReadTruncation(const JsonValue& json) {
  EncodeOptions options;
  TOKENIZER_RETURN_IF_ERROR(json.Read("max_length", &options.max_length));
  TOKENIZER_RETURN_IF_ERROR(json.Read("stride", &options.stride));
  TOKENIZER_ASSIGN_OR_RETURN(options.truncation_strategy, ReadStrategy(json));
  TOKENIZER_ASSIGN_OR_RETURN(const bool left, ReadIsLeft(json));
  options.truncation_side = left ? TruncationSide::kLeft : TruncationSide::kRight;
  return options;
}

absl::StatusOr<Padding> ReadPadding(const JsonValue& json) {
  Padding padding;
  TOKENIZER_RETURN_IF_ERROR(json.ReadId("pad_id", &padding.id));
  TOKENIZER_RETURN_IF_ERROR(json.ReadId("pad_type_id", &padding.type_id));
  TOKENIZER_RETURN_IF_ERROR(json.Read("pad_token", &padding.token));
  TOKENIZER_ASSIGN_OR_RETURN(padding.left, ReadIsLeft(json));
  if (json.Find("pad_to_multiple_of")) {
    TOKENIZER_RETURN_IF_ERROR(json.Read("pad_to_multiple_of", &padding.multiple_of));
  }
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue strategy, json.Get("strategy"));
  if (strategy.is_object()) {
    padding.fixed_length = 0;
    TOKENIZER_RETURN_IF_ERROR(strategy.Read("Fixed", &*padding.fixed_length));
    return padding;
  }
  TOKENIZER_ASSIGN_OR_RETURN(const std::string name, strategy.AsString());
  if (name == "BatchLongest") return padding;
  return strategy.Unknown(absl::StrCat(Quoted(name), R"( is not supported; known here: BatchLongest, {"Fixed": N})"));
}

}  // namespace bertha::tokenizer
