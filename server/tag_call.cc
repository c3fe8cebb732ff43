#include "server/tag_call.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "server/wire_range.h"

namespace bertha::server {
namespace {

models::Aggregation AggregationOf(v1::Aggregation wanted, const models::Manifest& manifest) {
  switch (wanted) {
    case v1::AGGREGATION_NONE:
      return models::Aggregation::kNone;
    case v1::AGGREGATION_SIMPLE:
      return models::Aggregation::kSimple;
    case v1::AGGREGATION_FIRST:
      return models::Aggregation::kFirst;
    case v1::AGGREGATION_AVERAGE:
      return models::Aggregation::kAverage;
    case v1::AGGREGATION_MAX:
      return models::Aggregation::kMax;
    default:
      return manifest.aggregation;
  }
}

}  // namespace

absl::Status TagCall::Validate() const {
  const v1::TagTokensOptions& options = request_.options();
  if (!v1::Aggregation_IsValid(options.aggregation())) {
    return absl::InvalidArgumentError(
        absl::StrCat("options.aggregation: unknown value ", static_cast<int>(options.aggregation())));
  }
  if (!(options.threshold() >= 0 && options.threshold() <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("options.threshold: is ", options.threshold(), ", expected 0 to 1"));
  }
  return ValidateTexts();
}

absl::Status TagCall::Encode(size_t index, tokenizer::Scratch& scratch, Input& out) {
  return EncodeText(input(index), long_text(), {.special_tokens_mask = true, .offsets = true, .char_offsets = true},
                    scratch, out);
}

void TagCall::Fill(size_t index, Outputs outputs, const batcher::Outcome& last) {
  const Input& computed = inputs_[index];
  windows_.clear();
  for (size_t w = 0; w < outputs.size(); ++w) windows_.push_back({computed.windows[w].encoding, outputs[w]});
  const std::string& text = input(index).text();
  const v1::TagTokensOptions& options = request_.options();
  models::EntityTagger(model_->manifest.labels, *model_->tokenizer)
      .Tag(text, windows_, AggregationOf(options.aggregation(), model_->manifest), entities_);
  v1::TagTokensResult& result = this->result(index);
  for (const models::Entity& found : entities_) {
    if (found.score < options.threshold()) continue;
    v1::Entity& entity = *result.add_entities();
    entity.set_label(std::string(found.label));
    entity.set_score(found.score);
    entity.set_text(text.substr(found.bytes.begin, found.bytes.end - found.bytes.begin));
    FillRange(found.bytes, *entity.mutable_bytes());
    FillRange(found.chars, *entity.mutable_chars());
  }
  result.set_truncated(computed.windows.size() == 1 && computed.encoding.truncated());
  FillCommon(index, last, result);
}

}  // namespace bertha::server
