// ModelInfer of the Open Inference Protocol: texts or tokens to labels or vectors. See server/call.h for the life of a
// call, docs/oip.md for the tensors.
//
// A text gets the answer that Classify or Embed with their default options give it. Outputs are always raw contents,
// whichever way the inputs came: every client reads those, and numbers are copied, not encoded.
#ifndef BERTHA_SERVER_OIP_INFER_CALL_H_
#define BERTHA_SERVER_OIP_INFER_CALL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "server/call.h"
#include "server/oip/output_tensors.h"
#include "server/oip/tensors.h"

namespace bertha::server::oip {

class InferCall final : public Call {
 public:
  /// `request` and `response` stay alive until `done`. The call ends at `deadline` or after the request's own
  /// `timeout`, whichever is earlier.
  InferCall(const CallContext& context, const inference::ModelInferRequest& request,
            inference::ModelInferResponse& response, batcher::TimePoint deadline, Done done);

 private:
  /// Tokens instead of texts.
  struct TokenInputs {
    IntegerMatrix ids, mask;
    std::optional<IntegerMatrix> type_ids;
  };

  absl::StatusOr<std::shared_ptr<const ServingModel>> FindModel() const override;
  models::Task task() const override;
  absl::Status Read() override;
  absl::Status Validate() const override;
  size_t size() const override { return size_; }
  size_t TextBytes(size_t input) const override;
  v1::Priority priority() const override { return priority_; }
  absl::Status Encode(size_t index, tokenizer::Scratch& scratch, Input& out) override;
  void AddResults() override;
  void Fill(size_t index, Outputs outputs, const batcher::Outcome& last) override;
  void EndResponse(const absl::Status& status) override;
  absl::Status At(size_t input, absl::string_view separator, const absl::Status& status) const override;

  absl::Status ReadParameters();
  absl::Status ReadInputs();
  absl::Status ReadTokens(const InputView& ids, const InputView* mask, const InputView* type_ids);
  absl::Status CheckRows(absl::string_view name, size_t rows);
  absl::Status FindTypeLimit(tokenizer::Scratch& scratch);
  absl::Status EncodeTokens(size_t row, tokenizer::Scratch& scratch, Input& out);

  const inference::ModelInferRequest& request_;
  inference::ModelInferResponse& response_;

  v1::Priority priority_ = v1::PRIORITY_NORMAL;
  std::vector<RequestedOutput> outputs_;
  size_t size_ = 0;
  std::vector<absl::string_view> texts_, pairs_;
  std::optional<TokenInputs> tokens_;
  /// Type ids are below it; 0: not known yet.
  int64_t type_limit_ = 0;
  OutputRows rows_;
};

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_INFER_CALL_H_
