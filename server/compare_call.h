// Compare: one text, several classifiers, each by a ClassifyCall of its own.
#ifndef BERTHA_SERVER_COMPARE_CALL_H_
#define BERTHA_SERVER_COMPARE_CALL_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "bertha/v1/bertha.pb.h"
#include "server/call.h"

namespace bertha::server {

class Inference;

class CompareCall final : public Operation, public std::enable_shared_from_this<CompareCall> {
 public:
  static constexpr int kMostModels = 16;

  /// What is referred to stays alive until `done`.
  CompareCall(const Inference& inference, const v1::CompareRequest& request, v1::CompareResponse& response,
              batcher::TimePoint deadline, Done done);

  /// Once.
  void Run();
  void Cancel() override;

 private:
  /// One model's part.
  struct Part {
    v1::ClassifyRequest request;
    v1::ClassifyResponse response;
    std::shared_ptr<Operation> call;
  };

  absl::StatusOr<std::vector<v1::ModelRef>> Models() const;
  absl::Status Begin();
  void AddPart(const v1::ModelRef& model);
  void StartAll();
  void AddTokens();
  void OnPart(size_t part, const absl::Status& status);
  void Leave();
  void Finish(const absl::Status& status);

  const Inference& inference_;
  const v1::CompareRequest& request_;
  v1::CompareResponse& response_;
  const batcher::TimePoint deadline_;
  Done done_;
  std::vector<Part> parts_;
  /// Parts that have not ended, and whoever still starts them.
  std::atomic<size_t> unfinished_ = 0;
  std::atomic<bool> cancelled_ = false;
  std::atomic<bool> started_ = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_COMPARE_CALL_H_
