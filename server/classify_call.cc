#include "server/classify_call.h"

#include "absl/strings/str_cat.h"

namespace bertha::server {

absl::Status ClassifyCall::Validate() const {
  const float threshold = request_.options().threshold();
  if (model_->manifest.problem_type == models::ProblemType::kRegression && threshold != 0) {
    return absl::InvalidArgumentError("options.threshold: the model is a regression model, it has no probabilities");
  }
  if (!(threshold >= 0 && threshold <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("options.threshold: is ", threshold, ", expected 0 to 1"));
  }
  return ValidateTexts();
}

absl::Status ClassifyCall::Encode(size_t index, tokenizer::Scratch& scratch, Input& out) {
  return EncodeText(input(index), long_text(), {}, scratch, out);
}

void ClassifyCall::Fill(size_t index, Outputs outputs, const batcher::Outcome& last) {
  std::span<const float> logits = outputs.front();
  if (outputs.size() > 1) {
    models::AverageLogits(outputs, logits_);
    logits = logits_;
  }
  const v1::ClassifyOptions& options = request_.options();
  v1::ClassifyResult& result = this->result(index);
  models::ScoreLabels(logits, model_->manifest.problem_type, options.top_k(), options.threshold(), scores_);
  for (const models::Score& score : scores_) {
    v1::LabelScore& label = *result.add_scores();
    label.set_label(model_->manifest.labels[score.index]);
    label.set_score(score.score);
    label.set_index(score.index);
  }
  if (options.raw_logits()) result.mutable_logits()->Assign(logits.begin(), logits.end());
  result.set_truncated(inputs_[index].windows.size() == 1 && inputs_[index].encoding.truncated());
  FillCommon(index, last, result);
}

}  // namespace bertha::server
