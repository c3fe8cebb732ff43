#include "server/call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/tasks/classification.h"

namespace bertha::server {
namespace {

using batcher::Duration;
using batcher::TimePoint;
using tokenizer::EncodeOptions;
using tokenizer::TruncationSide;
using tokenizer::TruncationStrategy;

uint32_t Microseconds(Duration duration) {
  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(us, 0, UINT32_MAX));
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

absl::Status CancelledByCaller() { return absl::CancelledError("cancelled by the caller"); }

absl::Status CheckTask(const ServingModel& model, models::Task task) {
  if (model.manifest.task == task) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the model \"", model.key.name, "\" does ",
                                                    models::TaskName(model.manifest.task), "; call ",
                                                    RpcOf(model.manifest.task), ", not ", RpcOf(task)));
}

}  // namespace

absl::Status CheckInputs(const CallLimits& limits, size_t inputs) {
  if (inputs == 0) return absl::InvalidArgumentError("inputs: is empty; send at least one text");
  if (inputs <= limits.max_inputs) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("inputs: has ", inputs, " texts, at most ", limits.max_inputs,
                                                 " are allowed in one call; split the call"));
}

absl::Status CheckTextBytes(const CallLimits& limits, size_t input, absl::string_view field, absl::string_view text) {
  if (text.size() <= limits.max_text_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("inputs[", input, "].", field, ": has ", text.size(),
                                                 " bytes, at most ", limits.max_text_bytes, " are allowed"));
}

absl::Status CheckPair(const ServingModel& model, size_t input) {
  if (model.manifest.accepts_pairs) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("inputs[", input, "].text_pair: the model \"", model.key.name,
                                                    "\" (", models::TaskName(model.manifest.task),
                                                    ") takes no text pairs"));
}

absl::string_view RpcOf(models::Task task) {
  switch (task) {
    case models::Task::kSequenceClassification:
      return "Classify";
    case models::Task::kTokenClassification:
      return "TagTokens";
    case models::Task::kQuestionAnswering:
      return "Answer";
    case models::Task::kEmbeddings:
      return "Embed";
  }
  return "?";
}

absl::Status AtInput(size_t index, absl::string_view separator, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("inputs[", index, "]", separator, status.message()));
}

Call::Call(const CallContext& context, TimePoint deadline, Done done)
    : context_(context), deadline_(deadline), received_(context.clock.Now()), done_(std::move(done)) {}

void Call::Run() {
  if (deadline_ <= received_) return Finish(absl::DeadlineExceededError("the deadline passed before the call began"));
  auto model = FindModel();
  if (!model.ok()) return Finish(model.status());
  model_ = *std::move(model);
  if (absl::Status status = CheckTask(*model_, task()); !status.ok()) return Finish(status);
  if (absl::Status status = Read(); !status.ok()) return Finish(status);
  if (absl::Status status = CheckInputs(context_.limits, size()); !status.ok()) return Finish(status);
  if (absl::Status status = Validate(); !status.ok()) return Finish(status);
  if (absl::Status status = ReadPriority(); !status.ok()) return Finish(status);
  auto reservation = context_.dispatcher.Reserve(model_->id, size(), priority_);
  if (!reservation.ok()) return Finish(reservation.status());
  size_t bytes = 0;
  for (size_t i = 0; i < size(); ++i) bytes += TextBytes(i);
  if (bytes <= context_.limits.max_inline_bytes) return TokenizeAndSubmit(*std::move(reservation));
  auto shared = std::make_shared<batcher::Reservation>(*std::move(reservation));
  const bool queued =
      context_.pool.TryRun([self = shared_from_this(), shared] { self->TokenizeAndSubmit(std::move(*shared)); });
  if (!queued) Finish(absl::ResourceExhaustedError("too many long calls are being tokenized; try again later"));
}

absl::Status Call::ReadPriority() {
  switch (priority()) {
    case v1::PRIORITY_HIGH:
      priority_ = batcher::Priority::kHigh;
      return absl::OkStatus();
    case v1::PRIORITY_UNSPECIFIED:
    case v1::PRIORITY_NORMAL:
      priority_ = batcher::Priority::kNormal;
      return absl::OkStatus();
    case v1::PRIORITY_BATCH:
      priority_ = batcher::Priority::kBatch;
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(absl::StrCat("priority: unknown value ", static_cast<int>(priority())));
  }
}

absl::Status Call::CheckLongText(const LongText& options) {
  if (!v1::TruncationPolicy_IsValid(options.policy)) {
    return absl::InvalidArgumentError(
        absl::StrCat("options.truncation: unknown value ", static_cast<int>(options.policy)));
  }
  if (options.stride && options.policy != v1::TRUNCATION_POLICY_WINDOW) {
    return absl::InvalidArgumentError("options.stride: only goes with truncation TRUNCATION_POLICY_WINDOW");
  }
  return absl::OkStatus();
}

void Call::TokenizeAndSubmit(batcher::Reservation reservation) {
  // The call may end, and everybody else let go of it, before Submit returns.
  const std::shared_ptr<Call> self = shared_from_this();
  absl::Status status = TokenizeAll();
  if (status.ok()) status = Submit(std::move(reservation));
  if (!status.ok()) Finish(status);
}

absl::Status Call::TokenizeAll() {
  thread_local tokenizer::Scratch scratch;
  inputs_.resize(size());
  for (size_t i = 0; i < size(); ++i) {
    if (cancelled_) return CancelledByCaller();
    const TimePoint begin = context_.clock.Now();
    if (absl::Status status = Encode(i, scratch, inputs_[i]); !status.ok()) return At(i, ".", status);
    inputs_[i].tokenize_time = context_.clock.Now() - begin;
  }
  return absl::OkStatus();
}

absl::Status Call::EncodeText(const v1::TextInput& text, const LongText& long_text, EncodeOptions options,
                              tokenizer::Scratch& scratch, Input& out) const {
  const size_t max_length = model_->manifest.max_length;
  options.max_length = max_length;
  std::optional<absl::string_view> pair;
  if (text.has_text_pair()) pair = text.text_pair();
  if (long_text.policy == v1::TRUNCATION_POLICY_WINDOW) {
    options.stride = long_text.stride.value_or(max_length / 4);
    // Else there would be a window for each two parts of both.
    if (pair && text.text().size() < pair->size()) options.truncation_strategy = TruncationStrategy::kOnlySecond;
    if (pair && text.text().size() >= pair->size()) options.truncation_strategy = TruncationStrategy::kOnlyFirst;
    return EncodeWindows(text.text(), pair, options, scratch, out);
  }
  if (long_text.policy == v1::TRUNCATION_POLICY_LEFT) options.truncation_side = TruncationSide::kLeft;
  absl::Status status = model_->tokenizer->Encode(text.text(), pair, options, scratch, out.encoding);
  if (!status.ok()) return status;
  if (out.encoding.truncated() && long_text.policy == v1::TRUNCATION_POLICY_ERROR) {
    return absl::InvalidArgumentError(absl::StrCat("text: has ", out.encoding.full_length, " tokens, the model takes ",
                                                   max_length, "; shorten it or choose another truncation policy"));
  }
  return absl::OkStatus();
}

absl::Status Call::EncodeWindows(absl::string_view text, std::optional<absl::string_view> pair,
                                 const EncodeOptions& options, tokenizer::Scratch& scratch, Input& out) const {
  EncodeOptions bounded = options;
  bounded.max_overflow_tokens = context_.limits.max_windows * options.max_length;
  absl::Status status = model_->tokenizer->EncodeWithOverflow(text, pair, bounded, scratch, out.encoding, out.overflow);
  if (absl::StartsWith(status.message(), "stride")) {
    return absl::InvalidArgumentError(absl::StrCat("text: options.", status.message()));
  }
  if (!absl::IsOutOfRange(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("text: is too long for ", context_.limits.max_windows, " windows (limits.max_windows_per_input) of ",
                   options.max_length, " tokens, ", options.stride,
                   " of them shared; shorten it, lower options.stride, or choose another truncation policy"));
}

absl::Status Call::Submit(batcher::Reservation reservation) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    Input& input = inputs_[i];
    input.windows.resize(1 + input.overflow.size());
    input.unfinished = input.windows.size();
    for (size_t w = 0; w < input.windows.size(); ++w) {
      Window& window = input.windows[w];
      window.input = i;
      window.encoding = w == 0 ? &input.encoding : &input.overflow[w - 1];
      window.model = model_->id;
      window.ids = window.encoding->ids;
      window.type_ids = window.encoding->type_ids;
      window.deadline = deadline_;
      window.priority = priority_;
      window.listener = this;
      requests_.push_back(&window);
      if (window.ids.empty() || window.ids.size() > model_->manifest.max_length) {
        return At(
            i, ".",
            absl::InvalidArgumentError(absl::StrCat("text: gives ", window.ids.size(), " tokens, the model takes 1 to ",
                                                    model_->manifest.max_length)));
      }
    }
  }
  if (requests_.size() != inputs_.size()) {
    reservation = {};  // gives the places back, which are among those that are needed now
    auto more = context_.dispatcher.Reserve(model_->id, requests_.size(), priority_);
    if (!more.ok()) return more.status();
    reservation = *std::move(more);
  }
  AddResults();
  unfinished_ = requests_.size();
  self_ = shared_from_this();
  if (absl::Status status = context_.dispatcher.Submit(std::move(reservation), requests_); !status.ok()) {
    self_.reset();
    return status;
  }
  submitted_ = true;
  if (cancelled_) CancelWaiting();
  return absl::OkStatus();
}

void Call::Cancel() {
  // Either this thread sees `submitted_`, or the one that sets it sees `cancelled_`: both are sequentially consistent.
  cancelled_ = true;
  if (submitted_) CancelWaiting();
}

void Call::CancelWaiting() { context_.dispatcher.Cancel(requests_); }

void Call::OnDone(batcher::Request& request, const batcher::Outcome& outcome) {
  Window& window = static_cast<Window&>(request);
  absl::Status status = outcome.status;
  if (outcome.finished != TimePoint()) model_->counters->AddComputed(outcome.finished);
  if (status.ok() && !models::AllFinite(outcome.output)) {
    status = absl::InternalError("the model computed NaN or infinity");
  }
  if (status.ok()) {
    if (status_.ok()) Collect(window, outcome);
  } else if (status_.ok()) {
    status_ = inputs_.size() > 1 ? At(window.input, ": ", status) : status;
    if (unfinished_ > 1) CancelWaiting();  // a call succeeds as a whole or not at all
  }
  if (--unfinished_ > 0) return;
  queued_ = window.accepted;
  started_ = outcome.started;
  finished_ = outcome.finished;
  const std::shared_ptr<Call> self = std::move(self_);
  Finish(cancelled_ && status_.ok() ? CancelledByCaller() : status_);
}

void Call::Collect(Window& window, const batcher::Outcome& outcome) {
  Input& input = inputs_[window.input];
  if (--input.unfinished > 0) {
    window.output.assign(outcome.output.begin(), outcome.output.end());
    return;
  }
  outputs_.clear();
  for (const Window& other : input.windows) {
    outputs_.push_back(&other == &window ? outcome.output : std::span<const float>(other.output));
  }
  Fill(window.input, outputs_, outcome);
  Observe(input, outcome);
}

void Call::FillTiming(const Input& input, const batcher::Outcome& last, v1::Timing& timing) const {
  timing.set_tokenize_us(Microseconds(input.tokenize_time));
  timing.set_queue_us(Microseconds(last.started - input.windows.front().accepted));
  timing.set_compute_us(Microseconds(last.finished - last.started));
  timing.set_total_us(Microseconds(context_.clock.Now() - received_));
}

void Call::Observe(const Input& input, const batcher::Outcome& last) const {
  ModelMetrics& metrics = *model_->metrics;
  metrics.tokenize.Observe(Seconds(input.tokenize_time));
  metrics.queue.Observe(Seconds(last.started - input.windows.front().accepted));
  metrics.compute.Observe(Seconds(last.finished - last.started));
  metrics.total.Observe(Seconds(context_.clock.Now() - received_));
}

void Call::Finish(const absl::Status& status) {
  EndResponse(status);
  if (model_) CountEnd(status);
  std::exchange(done_, nullptr)(status);
}

void Call::CountEnd(const absl::Status& status) const {
  const TimePoint now = context_.clock.Now();
  if (!status.ok()) return model_->counters->AddFailure(now - received_);
  CallTimes times = {
      .total = now - received_, .queue = started_ - queued_, .infer = finished_ - started_, .output = now - finished_};
  for (const Input& input : inputs_) times.tokenize += input.tokenize_time;
  model_->counters->AddSuccess(size(), times, now);
}

}  // namespace bertha::server
