// A replica of a small encoder, and what it should answer.
#ifndef BERTHA_TESTS_CUDA_REPLICA_SUPPORT_H_
#define BERTHA_TESTS_CUDA_REPLICA_SUPPORT_H_

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/cuda/fused_replica.h"
#include "tests/catch.h"
#include "tests/cuda/small_encoder.h"
#include "tests/models/reference_encoder.h"

namespace bertha::cuda {

inline void RequireOk(const models::CudaOutcome& outcome) {
  INFO(outcome.message);
  REQUIRE(outcome.ok());
}

inline models::CudaOutcome MakeState(const models::EncoderWeights& weights, Dtype dtype,
                                     const models::CudaModelOptions& options,
                                     std::shared_ptr<const FusedModelState>& state) {
  auto made = std::make_shared<FusedModelState>();
  made->options = options;
  models::CudaOutcome outcome = Matmul::Create(options.tune, made->matmul);
  if (outcome.ok()) outcome = LoadWeights(weights, dtype, *made->matmul, made->weights);
  state = std::move(made);
  return outcome;
}

inline std::unique_ptr<models::CudaReplica> MakeReplica(const models::EncoderWeights& weights, Dtype dtype,
                                                        models::CudaModelOptions options = {.tune = false}) {
  std::shared_ptr<const FusedModelState> state;
  RequireOk(MakeState(weights, dtype, options, state));
  std::unique_ptr<models::CudaReplica> replica;
  RequireOk(FusedReplica::Create(state, replica));
  return replica;
}

inline std::vector<float> RunBatch(models::CudaReplica& replica, const SmallBatch& batch, int slot = 0) {
  RequireOk(replica.Stage({batch.ids, batch.type_ids, batch.cu_seqlens}, slot));
  std::vector<float> values;
  RequireOk(replica.Run(slot, values));
  return values;
}

inline std::vector<float> Expected(const models::EncoderWeights& weights, const SmallBatch& batch) {
  return models::ReferenceOutputs(weights, {batch.ids, batch.type_ids, batch.cu_seqlens}).values;
}

/// Largest difference; infinite if a number is none or the counts differ.
inline float Difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float difference = std::fabs(a[i] - b[i]);
    if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
  }
  return largest;
}

}  // namespace bertha::cuda

#endif  // BERTHA_TESTS_CUDA_REPLICA_SUPPORT_H_
