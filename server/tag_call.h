// TagTokens: entities in texts. See call.h.
#ifndef BERTHA_SERVER_TAG_CALL_H_
#define BERTHA_SERVER_TAG_CALL_H_

#include <vector>

#include "models/tasks/token_classification.h"
#include "server/call.h"

namespace bertha::server {

class TagCall final : public TextCallOf<v1::TagTokensRequest, v1::TagTokensResponse> {
 public:
  using TextCallOf::TextCallOf;

 private:
  models::Task task() const override { return models::Task::kTokenClassification; }
  absl::Status Validate() const override;
  absl::Status Encode(size_t index, tokenizer::Scratch& scratch, Input& out) override;
  void Fill(size_t index, Outputs outputs, const batcher::Outcome& last) override;

  // Working memory.
  std::vector<models::TaggedWindow> windows_;
  std::vector<models::Entity> entities_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TAG_CALL_H_
