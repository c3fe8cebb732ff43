// Answer: answers to questions out of contexts. See call.h.
#ifndef BERTHA_SERVER_ANSWER_CALL_H_
#define BERTHA_SERVER_ANSWER_CALL_H_

#include <vector>

#include "models/tasks/question_answering.h"
#include "server/call.h"

namespace bertha::server {

class AnswerCall final : public CallOf<v1::AnswerRequest, v1::AnswerResponse> {
 public:
  using CallOf::CallOf;

 private:
  models::Task task() const override { return models::Task::kQuestionAnswering; }
  size_t TextBytes(size_t index) const override;
  absl::Status Validate() const override;
  absl::Status Encode(size_t index, tokenizer::Scratch& scratch, Input& out) override;
  void Fill(size_t index, Outputs outputs, const batcher::Outcome& last) override;

  /// XLNet, which pads on the left and reads from the right, was trained with the context first.
  bool context_is_first() const { return model_->manifest.padding.left; }
  absl::StatusOr<size_t> Stride(size_t index, tokenizer::Scratch& scratch, Input& out) const;

  // Working memory.
  std::vector<models::AnswerWindow> windows_;
  std::vector<models::FoundAnswer> answers_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_ANSWER_CALL_H_
