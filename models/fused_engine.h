// The fused engine on the CPU: an encoder described by EncoderWeights, run on packed tokens.
//
// Nothing is padded: a batch is its tokens, one after the other. Weights are packed once for the processor's best
// instructions; what follows a product (bias, activation, residual, LayerNorm, quantising) is done while its results
// are in the cache; the last layer computes only the rows that the head reads.
//
// Numeric types: fp32; bf16, weights and activations, sums and residuals in fp32; int8, weights with one scale for each
// output, activations with one for each token, measured as they come, attention as for bf16. The embeddings are kept in
// bf16 unless all is fp32.
// Thread-safety: FusedModel is immutable, its replicas are what batcher/encoder.h says.
#ifndef BERTHA_MODELS_FUSED_ENGINE_H_
#define BERTHA_MODELS_FUSED_ENGINE_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "batcher/encoder.h"
#include "models/families/encoder_weights.h"
#include "models/kernels/cpu/gemm_kernel.h"

namespace bertha::models {

struct PackedModel;

class FusedModel {
 public:
  /// Packs `weights`, those of BuildEncoder, of which nothing is kept. `threads` share the work.
  static FusedModel Make(const EncoderWeights& weights, Dtype dtype, int threads = 1);

  /// An encoder with memory and threads of its own: `threads` >= 1, the caller of Run among them. It keeps the weights
  /// alive. `tokens`: of the largest batch that needs no further memory. `cores`: see ThreadTeam.
  std::unique_ptr<batcher::Encoder> NewReplica(int threads, size_t tokens = 0,
                                               const std::vector<int>& cores = {}) const;

  /// Bytes of the packed weights.
  size_t weight_bytes() const;

 private:
  explicit FusedModel(std::shared_ptr<const PackedModel> model) : model_(std::move(model)) {}
  std::shared_ptr<const PackedModel> model_;
};

/// "fp32", "bf16", "int8"
const char* DtypeName(Dtype dtype);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FUSED_ENGINE_H_
