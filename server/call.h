// One call from decoded message to filled response. The transport (gRPC, later HTTP) only decodes, passes cancellation
// on, and encodes; everything a call means is here and, for each task, in classify_call.h, tag_call.h, answer_call.h
// and embed_call.h.
//
//   Run ─ find model ─ validate ─ reserve places ─ tokenize ─ submit ─▶ … ─▶ results, one by one ─▶ done(status)
//
// An input is one request of the dispatcher, or several: the windows of a long text.
//
// Thread-safety: a Call may be cancelled from any thread at any time. The hooks of a task run on one thread at a time.
#ifndef BERTHA_SERVER_CALL_H_
#define BERTHA_SERVER_CALL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "batcher/clock.h"
#include "batcher/dispatcher.h"
#include "batcher/request.h"
#include "bertha/v1/bertha.pb.h"
#include "models/manifest.h"
#include "server/feedback/feedback_store.h"
#include "server/model_status.h"
#include "server/model_table.h"
#include "server/operation.h"
#include "server/work_pool.h"
#include "tokenizer/tokenizer.h"

namespace bertha::server {

struct CallLimits {
  /// Inputs of one call.
  size_t max_inputs = 256;
  /// Bytes of one text.
  size_t max_text_bytes = 1 << 20;
  /// Calls of more bytes of text than this are tokenized on the pool: the caller's thread also serves others.
  size_t max_inline_bytes = 64 << 10;
  /// Windows of one input.
  size_t max_windows = 64;
  /// Bytes of a response, where they could be many more than those of the request.
  size_t max_response_bytes = 8 << 20;
};

/// What all calls of a server use; outlives them.
struct CallContext {
  const ModelTable& models;
  batcher::Dispatcher& dispatcher;
  WorkPool& pool;
  const batcher::Clock& clock;
  const CallLimits limits;
  /// Null: no feedback is kept.
  feedback::FeedbackStore* feedback = nullptr;
};

/// INVALID_ARGUMENT unless a call may have so many inputs.
absl::Status CheckInputs(const CallLimits& limits, size_t inputs);
/// INVALID_ARGUMENT, with the place, if a text has too many bytes.
absl::Status CheckTextBytes(const CallLimits& limits, size_t input, absl::string_view field, absl::string_view text);
/// FAILED_PRECONDITION unless the model takes pairs.
absl::Status CheckPair(const ServingModel& model, size_t input);
/// The same status with the input's position before the message.
absl::Status AtInput(size_t index, absl::string_view separator, const absl::Status& status);
/// The method of bertha.v1 that does a task.
absl::string_view RpcOf(models::Task task);

class Call : public Operation, public batcher::Listener, public std::enable_shared_from_this<Call> {
 public:
  /// `deadline` max(): none.
  Call(const CallContext& context, batcher::TimePoint deadline, Done done);

  /// Starts the call; once. Errors: see the service in bertha.proto.
  void Run();
  /// What runs is finished and thrown away.
  void Cancel() override;

 protected:
  /// A part of an input that is computed by itself.
  struct Window : batcher::Request {
    size_t input = 0;
    const tokenizer::Encoding* encoding = nullptr;
    /// Kept until the input's other windows have been computed too.
    std::vector<float> output;
  };
  struct Input {
    tokenizer::Encoding encoding;
    /// The windows after `encoding`.
    tokenizer::EncodingList overflow;
    std::vector<Window> windows;
    size_t unfinished = 0;
    batcher::Duration tokenize_time{};
  };
  /// Outputs of an input's windows, in their order.
  using Outputs = std::span<const std::span<const float>>;
  /// What a request says about a text that is longer than the model.
  struct LongText {
    v1::TruncationPolicy policy = v1::TRUNCATION_POLICY_UNSPECIFIED;
    std::optional<size_t> stride;
  };

  // What differs between tasks.
  virtual models::Task task() const = 0;
  virtual size_t size() const = 0;
  virtual size_t TextBytes(size_t input) const = 0;
  virtual v1::Priority priority() const = 0;
  virtual absl::StatusOr<std::shared_ptr<const ServingModel>> FindModel() const = 0;
  /// Reads what the hooks below need; the model is known and does the task.
  virtual absl::Status Read() { return absl::OkStatus(); }
  /// Of options and inputs.
  virtual absl::Status Validate() const = 0;
  /// Fills `out.encoding` and `out.overflow`.
  virtual absl::Status Encode(size_t input, tokenizer::Scratch& scratch, Input& out) = 0;
  /// Makes room for all results; they are filled from another thread.
  virtual void AddResults() = 0;
  /// `last`: the outcome of the window that ended last.
  virtual void Fill(size_t input, Outputs outputs, const batcher::Outcome& last) = 0;
  /// The call ends with `status`.
  virtual void EndResponse(const absl::Status& status) = 0;
  /// An error of one input: the same status with the input's place before the message, which begins with the name of a
  /// field where `separator` is ".".
  virtual absl::Status At(size_t input, absl::string_view separator, const absl::Status& status) const {
    return AtInput(input, separator, status);
  }

  // What they share.
  absl::Status CheckBytes(size_t input, absl::string_view field, absl::string_view text) const {
    return CheckTextBytes(context_.limits, input, field, text);
  }
  static absl::Status CheckLongText(const LongText& options);
  /// `wanted`: which details `out` shall hold; lengths and strides are those of the model and of `options`.
  absl::Status EncodeText(const v1::TextInput& text, const LongText& options, tokenizer::EncodeOptions wanted,
                          tokenizer::Scratch& scratch, Input& out) const;
  /// Cuts into windows, as `options` say. INVALID_ARGUMENT if these are more than the limit.
  absl::Status EncodeWindows(absl::string_view text, std::optional<absl::string_view> pair,
                             const tokenizer::EncodeOptions& options, tokenizer::Scratch& scratch, Input& out) const;
  template <class Result>
  void FillCommon(size_t input, const batcher::Outcome& last, Result& result) const;

  const CallContext& context_;
  std::shared_ptr<const ServingModel> model_;
  std::vector<Input> inputs_;

 private:
  void TokenizeAndSubmit(batcher::Reservation reservation);
  absl::Status ReadPriority();
  absl::Status TokenizeAll();
  absl::Status Submit(batcher::Reservation reservation);
  void OnDone(batcher::Request& request, const batcher::Outcome& outcome) override;
  void Collect(Window& window, const batcher::Outcome& outcome);
  void FillTiming(const Input& input, const batcher::Outcome& last, v1::Timing& timing) const;
  void Observe(const Input& input, const batcher::Outcome& last) const;
  void CancelWaiting();
  void Finish(const absl::Status& status);
  void CountEnd(const absl::Status& status) const;

  const batcher::TimePoint deadline_;
  const batcher::TimePoint received_;
  Done done_;

  std::vector<batcher::Request*> requests_;  // the windows of all inputs, in order
  batcher::Priority priority_ = batcher::Priority::kNormal;
  size_t unfinished_ = 0;                           // of them
  std::vector<std::span<const float>> outputs_;     // working memory
  absl::Status status_;                             // the first error of an input
  batcher::TimePoint queued_, started_, finished_;  // of the window that ended last
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> submitted_ = false;
  /// Keeps the call alive while the dispatcher holds its requests.
  std::shared_ptr<Call> self_;
};

template <class Result>
void Call::FillCommon(size_t input, const batcher::Outcome& last, Result& result) const {
  size_t tokens = 0;
  for (const Window& window : inputs_[input].windows) tokens += window.ids.size();
  result.set_tokens(static_cast<uint32_t>(tokens));
  result.set_windows(static_cast<uint32_t>(inputs_[input].windows.size()));
  FillTiming(inputs_[input], last, *result.mutable_timing());
  v1::BatchInfo& batch = *result.mutable_batch();
  batch.set_size(last.batch.size);
  batch.set_tokens(last.batch.tokens);
  batch.set_padded_tokens(last.batch.padded_tokens);
}

/// What follows from the messages being called alike. `request` and `response` stay alive until `done`.
template <class Request, class Response>
class CallOf : public Call {
 public:
  CallOf(const CallContext& context, const Request& request, Response& response, batcher::TimePoint deadline, Done done)
      : Call(context, deadline, std::move(done)), request_(request), response_(response) {}

 protected:
  size_t size() const override { return static_cast<size_t>(request_.inputs_size()); }
  absl::StatusOr<std::shared_ptr<const ServingModel>> FindModel() const override {
    return context_.models.Find(request_.model(), request_.version(), request_.version_label());
  }
  v1::Priority priority() const override { return request_.priority(); }
  void AddResults() override {
    for (int i = 0; i < request_.inputs_size(); ++i) response_.add_results();
  }
  void EndResponse(const absl::Status& status) override {
    if (status.ok()) {
      FillModelInfo(*model_, *response_.mutable_model());
    } else {
      response_.Clear();
    }
  }
  auto& result(size_t input) { return *response_.mutable_results(static_cast<int>(input)); }
  const auto& input(size_t index) const { return request_.inputs(static_cast<int>(index)); }

  const Request& request_;
  Response& response_;
};

/// The same for tasks whose inputs are texts.
template <class Request, class Response>
class TextCallOf : public CallOf<Request, Response> {
 public:
  using CallOf<Request, Response>::CallOf;

 protected:
  size_t TextBytes(size_t index) const override {
    return this->input(index).text().size() + this->input(index).text_pair().size();
  }
  Call::LongText long_text() const {
    Call::LongText options{this->request_.options().truncation(), {}};
    if (this->request_.options().has_stride()) options.stride = this->request_.options().stride();
    return options;
  }
  absl::Status ValidateTexts() const {
    if (absl::Status status = Call::CheckLongText(long_text()); !status.ok()) return status;
    for (size_t i = 0; i < this->size(); ++i) {
      const v1::TextInput& text = this->input(i);
      if (absl::Status status = this->CheckBytes(i, "text", text.text()); !status.ok()) return status;
      if (absl::Status status = this->CheckBytes(i, "text_pair", text.text_pair()); !status.ok()) return status;
      if (!text.has_text_pair()) continue;
      if (absl::Status status = CheckPair(*this->model_, i); !status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CALL_H_
