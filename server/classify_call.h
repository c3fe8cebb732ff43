// Classify: labels for texts. See call.h.
#ifndef BERTHA_SERVER_CLASSIFY_CALL_H_
#define BERTHA_SERVER_CLASSIFY_CALL_H_

#include <vector>

#include "models/tasks/classification.h"
#include "server/call.h"

namespace bertha::server {

class ClassifyCall final : public TextCallOf<v1::ClassifyRequest, v1::ClassifyResponse> {
 public:
  using TextCallOf::TextCallOf;

 private:
  models::Task task() const override { return models::Task::kSequenceClassification; }
  absl::Status Validate() const override;
  absl::Status Encode(size_t index, tokenizer::Scratch& scratch, Input& out) override;
  void Fill(size_t index, Outputs outputs, const batcher::Outcome& last) override;

  // Working memory.
  std::vector<float> logits_;
  std::vector<models::Score> scores_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CLASSIFY_CALL_H_
