// One Classify call from decoded message to filled response. The transport (gRPC, later HTTP) only decodes, passes
// cancellation on, and encodes; everything a call means is here.
//
//   Start ─ validate ─ find model ─ reserve places ─ tokenize ─ submit ─▶ … ─▶ results, one by one ─▶ done(status)
//
// Thread-safety: Classifier is thread-safe. A ClassifyCall may be cancelled from any thread at any time.
#ifndef BERTHA_SERVER_CLASSIFY_CALL_H_
#define BERTHA_SERVER_CLASSIFY_CALL_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "batcher/clock.h"
#include "batcher/dispatcher.h"
#include "batcher/request.h"
#include "bertha/v1/bertha.pb.h"
#include "models/tasks/classification.h"
#include "server/model_table.h"
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
};

class ClassifyCall;

class Classifier {
 public:
  /// Called exactly once for each call, on the caller's thread before Start returns or later on another one; must not
  /// block.
  using Done = std::function<void(const absl::Status&)>;

  /// All referenced objects outlive the classifier and its calls.
  Classifier(const ModelTable& models, batcher::Dispatcher& dispatcher, WorkPool& pool, const batcher::Clock& clock,
             const CallLimits& limits)
      : models_(models), dispatcher_(dispatcher), pool_(pool), clock_(clock), limits_(limits) {}

  /// Starts a call. `request` and `response` stay alive until `done`; `response` is filled if its status is OK.
  /// `deadline` max(): none. Errors: see the service in bertha.proto.
  std::shared_ptr<ClassifyCall> Start(const v1::ClassifyRequest& request, v1::ClassifyResponse& response,
                                      batcher::TimePoint deadline, Done done);

  /// When to try again after RESOURCE_EXHAUSTED or UNAVAILABLE.
  batcher::Duration RetryAfter() const { return dispatcher_.RetryAfter(); }
  const batcher::Clock& clock() const { return clock_; }

 private:
  friend class ClassifyCall;
  const ModelTable& models_;
  batcher::Dispatcher& dispatcher_;
  WorkPool& pool_;
  const batcher::Clock& clock_;
  const CallLimits limits_;
};

class ClassifyCall final : public batcher::Listener, public std::enable_shared_from_this<ClassifyCall> {
 public:
  ClassifyCall(Classifier& classifier, const v1::ClassifyRequest& request, v1::ClassifyResponse& response,
               batcher::TimePoint deadline, Classifier::Done done);

  /// Ends the call as a whole with CANCELLED, unless it ends by itself first. What runs is finished and thrown away.
  void Cancel();

 private:
  friend class Classifier;
  struct Input : batcher::Request {
    tokenizer::Encoding encoding;
    batcher::Duration tokenize_time{};
  };

  void Run();
  absl::Status Validate() const;
  absl::Status ValidateOptions() const;
  absl::Status ValidateInput(int index) const;
  absl::Status TokenizeAll();
  absl::Status Tokenize(int index, tokenizer::Scratch& scratch);
  absl::Status Submit(batcher::Reservation reservation);
  void TokenizeAndSubmit(batcher::Reservation reservation);
  void OnDone(batcher::Request& request, const batcher::Outcome& outcome) override;
  void FillResult(const Input& input, v1::ClassifyResult& result, const batcher::Outcome& outcome);
  void CancelWaiting();
  void Finish(const absl::Status& status);

  Classifier& classifier_;
  const v1::ClassifyRequest& request_;
  v1::ClassifyResponse& response_;
  const batcher::TimePoint deadline_;
  const batcher::TimePoint received_;
  Classifier::Done done_;

  std::shared_ptr<const ServingModel> model_;
  std::vector<Input> inputs_;
  std::vector<models::Score> scores_;  // working memory
  size_t unfinished_ = 0;
  absl::Status status_;  // the first error of an input
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> submitted_ = false;
  /// Keeps the call alive while the dispatcher holds its requests.
  std::shared_ptr<ClassifyCall> self_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CLASSIFY_CALL_H_
