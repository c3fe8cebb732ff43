// Classifier over gRPC: one unary Classify call of bertha.v1 for each call. Thread-safe.
#ifndef BERTHA_CLIENTS_CLI_RPC_CLASSIFIER_H_
#define BERTHA_CLIENTS_CLI_RPC_CLASSIFIER_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <memory>

#include "bertha/v1/bertha.grpc.pb.h"
#include "clients/cli/answer_chunk.h"

namespace bertha::cli {

class RpcClassifier : public Classifier {
 public:
  /// `prototype`: the request without its inputs.
  RpcClassifier(std::shared_ptr<grpc::Channel> channel, v1::ClassifyRequest prototype)
      : channel_(std::move(channel)), stub_(v1::Bertha::NewStub(channel_)), prototype_(std::move(prototype)) {}

  CallResult Classify(absl::Span<const Input* const> inputs, absl::Time deadline) override;

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Bertha::Stub> stub_;
  const v1::ClassifyRequest prototype_;
  std::atomic<bool> reached_ = false;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_RPC_CLASSIFIER_H_
