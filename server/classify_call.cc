#include "server/classify_call.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::TimePoint;

uint32_t Microseconds(Duration duration) {
  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(us, 0, UINT32_MAX));
}

/// The same status with the input's position before the message.
absl::Status AtInput(size_t index, absl::string_view separator, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("inputs[", index, "]", separator, status.message()));
}

absl::Status CancelledByCaller() { return absl::CancelledError("cancelled by the caller"); }

size_t TextBytes(const v1::ClassifyRequest& request) {
  size_t bytes = 0;
  for (const v1::TextInput& input : request.inputs()) bytes += input.text().size() + input.text_pair().size();
  return bytes;
}

}  // namespace

std::shared_ptr<ClassifyCall> Classifier::Start(const v1::ClassifyRequest& request, v1::ClassifyResponse& response,
                                                TimePoint deadline, Done done) {
  auto call = std::make_shared<ClassifyCall>(*this, request, response, deadline, std::move(done));
  call->Run();
  return call;
}

ClassifyCall::ClassifyCall(Classifier& classifier, const v1::ClassifyRequest& request, v1::ClassifyResponse& response,
                           TimePoint deadline, Classifier::Done done)
    : classifier_(classifier),
      request_(request),
      response_(response),
      deadline_(deadline),
      received_(classifier.clock_.Now()),
      done_(std::move(done)) {}

void ClassifyCall::Run() {
  if (deadline_ <= received_) return Finish(absl::DeadlineExceededError("the deadline passed before the call began"));
  auto model = classifier_.models_.Find(request_.model(), request_.version(), request_.version_label());
  if (!model.ok()) return Finish(model.status());
  model_ = *std::move(model);
  if (absl::Status status = Validate(); !status.ok()) return Finish(status);
  auto reservation = classifier_.dispatcher_.Reserve(static_cast<size_t>(request_.inputs_size()));
  if (!reservation.ok()) return Finish(reservation.status());
  if (TextBytes(request_) <= classifier_.limits_.max_inline_bytes) return TokenizeAndSubmit(*std::move(reservation));
  auto shared = std::make_shared<batcher::Reservation>(*std::move(reservation));
  const bool queued =
      classifier_.pool_.TryRun([self = shared_from_this(), shared] { self->TokenizeAndSubmit(std::move(*shared)); });
  if (!queued) Finish(absl::ResourceExhaustedError("too many long calls are being tokenized; try again later"));
}

absl::Status ClassifyCall::Validate() const {
  const auto n = static_cast<size_t>(request_.inputs_size());
  if (n == 0) return absl::InvalidArgumentError("inputs: is empty; send at least one text");
  if (n > classifier_.limits_.max_inputs) {
    return absl::InvalidArgumentError(absl::StrCat("inputs: has ", n, " texts, at most ",
                                                   classifier_.limits_.max_inputs,
                                                   " are allowed in one call; split the call"));
  }
  if (absl::Status status = ValidateOptions(); !status.ok()) return status;
  for (int i = 0; i < request_.inputs_size(); ++i) {
    if (absl::Status status = ValidateInput(i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ClassifyCall::ValidateOptions() const {
  const v1::ClassifyOptions& options = request_.options();
  const float threshold = options.threshold();
  if (!v1::TruncationPolicy_IsValid(options.truncation())) {
    return absl::InvalidArgumentError(
        absl::StrCat("options.truncation: unknown value ", static_cast<int>(options.truncation())));
  }
  if (model_->manifest.problem_type == models::ProblemType::kRegression && threshold != 0) {
    return absl::InvalidArgumentError("options.threshold: the model is a regression model, it has no probabilities");
  }
  if (!(threshold >= 0 && threshold <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("options.threshold: is ", threshold, ", expected 0 to 1"));
  }
  return absl::OkStatus();
}

absl::Status ClassifyCall::ValidateInput(int index) const {
  const v1::TextInput& input = request_.inputs(index);
  const size_t limit = classifier_.limits_.max_text_bytes;
  for (const auto& [field, text] : {std::pair("text", &input.text()), std::pair("text_pair", &input.text_pair())}) {
    if (text->size() > limit) {
      return absl::InvalidArgumentError(absl::StrCat("inputs[", index, "].", field, ": has ", text->size(),
                                                     " bytes, at most ", limit, " are allowed"));
    }
  }
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
  const v1::ClassifyOptions& options = request_.options();
  models::ScoreLabels(outcome.output, model_->manifest.problem_type, options.top_k(), options.threshold(), scores_);
  for (const models::Score& score : scores_) {
    v1::LabelScore& label = *result.add_scores();
    label.set_label(model_->manifest.labels[score.index]);
    label.set_score(score.score);
    label.set_index(score.index);
  }
  if (options.raw_logits()) result.mutable_logits()->Assign(outcome.output.begin(), outcome.output.end());
  result.set_tokens(static_cast<uint32_t>(input.encoding.ids.size()));
  result.set_truncated(input.encoding.truncated());
  v1::Timing& timing = *result.mutable_timing();
  timing.set_tokenize_us(Microseconds(input.tokenize_time));
  timing.set_queue_us(Microseconds(outcome.started - input.accepted));
  timing.set_compute_us(Microseconds(outcome.finished - outcome.started));
  timing.set_total_us(Microseconds(classifier_.clock_.Now() - received_));
  v1::BatchInfo& batch = *result.mutable_batch();
  batch.set_size(outcome.batch.size);
  batch.set_tokens(outcome.batch.tokens);
  batch.set_padded_tokens(outcome.batch.padded_tokens);
}

void ClassifyCall::Finish(const absl::Status& status) {
  if (status.ok()) {
    v1::ModelInfo& info = *response_.mutable_model();
    info.set_name(model_->key.name);
    info.set_version(model_->key.version);
    info.set_engine(model_->encoder.engine);
    info.set_device(model_->encoder.device);
    info.set_dtype(model_->encoder.dtype);
  } else {
    response_.Clear();
  }
  std::exchange(done_, nullptr)(status);
}

}  // namespace bertha::server
