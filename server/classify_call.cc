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
<<<<<<< HEAD
=======
  if (input.has_text_pair() && !model_->manifest.accepts_pairs) {
    return absl::FailedPreconditionError(absl::StrCat("inputs[", index, "].text_pair: the model \"", model_->key.name,
                                                      "\" (", models::TaskName(model_->manifest.task),
                                                      ") takes no text pairs"));
  }
  return absl::OkStatus();
}

void ClassifyCall::TokenizeAndSubmit(batcher::Reservation reservation) {
  // The call may end, and everybody else let go of it, before Submit returns.
  const std::shared_ptr<ClassifyCall> self = shared_from_this();
  absl::Status status = TokenizeAll();
  if (status.ok()) status = Submit(std::move(reservation));
  if (!status.ok()) Finish(status);
}

absl::Status ClassifyCall::TokenizeAll() {
  thread_local tokenizer::Scratch scratch;
  inputs_.resize(static_cast<size_t>(request_.inputs_size()));
  for (int i = 0; i < request_.inputs_size(); ++i) {
    if (cancelled_) return CancelledByCaller();
    if (absl::Status status = Tokenize(i, scratch); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ClassifyCall::Tokenize(int index, tokenizer::Scratch& scratch) {
  const TimePoint begin = classifier_.clock_.Now();
  const v1::TextInput& text = request_.inputs(index);
  Input& input = inputs_[static_cast<size_t>(index)];
  std::optional<absl::string_view> pair;
  if (text.has_text_pair()) pair = text.text_pair();
  const v1::TruncationPolicy policy = request_.options().truncation();
  const tokenizer::EncodeOptions options{.max_length = model_->manifest.max_length,
                                         .truncation_side = policy == v1::TRUNCATION_POLICY_LEFT
                                                                ? tokenizer::TruncationSide::kLeft
                                                                : tokenizer::TruncationSide::kRight};
  const auto at = static_cast<size_t>(index);
  absl::Status status = model_->tokenizer->Encode(text.text(), pair, options, scratch, input.encoding);
  if (!status.ok()) return AtInput(at, ".", status);
  if (input.encoding.truncated() && policy == v1::TRUNCATION_POLICY_ERROR) {
    return absl::InvalidArgumentError(absl::StrCat("inputs[", index, "].text: has ", input.encoding.full_length,
                                                   " tokens, the model takes ", model_->manifest.max_length,
                                                   "; shorten it or choose another truncation policy"));
  }
  if (input.encoding.ids.empty() || input.encoding.ids.size() > model_->manifest.max_length) {
    return absl::InvalidArgumentError(absl::StrCat("inputs[", index, "].text: gives ", input.encoding.ids.size(),
                                                   " tokens, the model takes 1 to ", model_->manifest.max_length));
  }
  input.tokenize_time = classifier_.clock_.Now() - begin;
  return absl::OkStatus();
}

absl::Status ClassifyCall::Submit(batcher::Reservation reservation) {
  std::vector<batcher::Request*> requests;
  for (Input& input : inputs_) {
    input.model = model_->id;
    input.ids = input.encoding.ids;
    input.type_ids = input.encoding.type_ids;
    input.deadline = deadline_;
    input.listener = this;
    requests.push_back(&input);
  }
  for (size_t i = 0; i < inputs_.size(); ++i) response_.add_results();
  unfinished_ = inputs_.size();
  self_ = shared_from_this();
  if (absl::Status status = classifier_.dispatcher_.Submit(std::move(reservation), requests); !status.ok()) {
    self_.reset();
    return status;
  }
  submitted_ = true;
  if (cancelled_) CancelWaiting();
  return absl::OkStatus();
}

void ClassifyCall::Cancel() {
  // Either this thread sees `submitted_`, or the one that sets it sees `cancelled_`: both are sequentially consistent.
  cancelled_ = true;
  if (submitted_) CancelWaiting();
}

void ClassifyCall::CancelWaiting() {
  for (Input& input : inputs_) classifier_.dispatcher_.Cancel(input);
}

void ClassifyCall::OnDone(batcher::Request& request, const batcher::Outcome& outcome) {
  const Input& input = static_cast<const Input&>(request);
  const auto index = static_cast<size_t>(&input - inputs_.data());
  absl::Status status = outcome.status;
  if (status.ok() && !models::AllFinite(outcome.output))
    status = absl::InternalError("the model computed NaN or infinity");
  if (status.ok()) {
    FillResult(input, *response_.mutable_results(static_cast<int>(index)), outcome);
  } else if (status_.ok()) {
    status_ = inputs_.size() > 1 ? AtInput(index, ": ", status) : status;
    if (unfinished_ > 1) CancelWaiting();  // a call succeeds as a whole or not at all
  }
  if (--unfinished_ > 0) return;
  const std::shared_ptr<ClassifyCall> self = std::move(self_);
  Finish(cancelled_ && status_.ok() ? CancelledByCaller() : status_);
}

void ClassifyCall::FillResult(const Input& input, v1::ClassifyResult& result, const batcher::Outcome& outcome) {
>>>>>>> engine
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
