// Embed: vectors for texts. See call.h.
#ifndef BERTHA_SERVER_EMBED_CALL_H_
#define BERTHA_SERVER_EMBED_CALL_H_

#include <vector>

#include "models/tasks/embeddings.h"
#include "server/call.h"

namespace bertha::server {

class EmbedCall final : public TextCallOf<v1::EmbedRequest, v1::EmbedResponse> {
 public:
  using TextCallOf::TextCallOf;

 private:
  models::Task task() const override { return models::Task::kEmbeddings; }
  absl::Status Validate() const override;
  absl::Status Encode(size_t index, tokenizer::Scratch& scratch, Input& out) override;
  void Fill(size_t index, Outputs outputs, const batcher::Outcome& last) override;

  bool of_tokens() const { return request_.options().pooling() == v1::POOLING_NONE; }
  bool normalized() const;
  absl::Status CheckResponseSize(const Input& encoded);
  void FillTokens(const Input& input, std::span<const float> vectors, v1::EmbedResult& result);

  size_t response_bytes_ = 0;  // so far
  std::vector<float> vector_;  // working memory
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_EMBED_CALL_H_
