// Tokenize: texts as a model sees them. Nothing is queued or computed; long calls run on the pool.
#ifndef BERTHA_SERVER_TOKENIZE_CALL_H_
#define BERTHA_SERVER_TOKENIZE_CALL_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "bertha/v1/bertha.pb.h"
#include "server/call.h"

namespace bertha::server {

/// Fills `out` with the tokens of a text; those that `policy` cuts off are there, marked. `budget`: bytes that the
/// response may still grow, about. INVALID_ARGUMENT if that is not enough, or as the tokenizer says.
absl::Status DescribeTokens(const ServingModel& model, const v1::TextInput& text, v1::TruncationPolicy policy,
                            size_t& budget, v1::TokenizeResult& out);

class TokenizeCall final : public Operation, public std::enable_shared_from_this<TokenizeCall> {
 public:
  /// What is referred to stays alive until `done`.
  TokenizeCall(const CallContext& context, const v1::TokenizeRequest& request, v1::TokenizeResponse& response,
               batcher::TimePoint deadline, Done done);

  /// Once.
  void Run();
  void Cancel() override { cancelled_ = true; }

 private:
  absl::Status Prepare();
  absl::Status TokenizeAll();
  void Finish(const absl::Status& status);

  const CallContext& context_;
  const v1::TokenizeRequest& request_;
  v1::TokenizeResponse& response_;
  const batcher::TimePoint deadline_;
  Done done_;
  std::shared_ptr<const ServingModel> model_;
  size_t bytes_ = 0;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TOKENIZE_CALL_H_
