// One worker's encoder on a device: a stream, an arena for activations, two slots, its graphs.
//
// Batches of few tokens spend their time on launches: the second time that a size of batch comes, its kernels are
// captured as a CUDA graph and from then on launched as one. A graph that cannot be had is done without.
#ifndef BERTHA_MODELS_CUDA_FUSED_REPLICA_H_
#define BERTHA_MODELS_CUDA_FUSED_REPLICA_H_

#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "models/cuda/batch_layout.h"
#include "models/cuda/device_memory.h"
#include "models/cuda/device_weights.h"
#include "models/cuda_plugin.h"
#include "models/kernels/cuda/matmul.h"

namespace bertha::cuda {

/// What the replicas of a model share.
struct FusedModelState {
  models::CudaModelOptions options;
  std::unique_ptr<Matmul> matmul;
  DeviceWeights weights;
};

class FusedReplica final : public models::CudaReplica {
 public:
  /// Takes its memory, less of it if there is not enough, and runs each size of batch once if the options say `tune`.
  static models::CudaOutcome Create(std::shared_ptr<const FusedModelState> model,
                                    std::unique_ptr<models::CudaReplica>& replica);
  ~FusedReplica() override;

  models::CudaOutcome Stage(const models::CudaBatch& batch, int slot) override;
  models::CudaOutcome Run(int slot, std::vector<float>& values) override;
  size_t device_bytes() const override {
    return arena_.bytes() + workspace_.bytes() + slots_[0].input.bytes() + slots_[1].input.bytes();
  }
  size_t max_tokens() const override { return static_cast<size_t>(max_tokens_); }
  /// CUDA graphs made so far.
  size_t graphs() const;

 private:
  struct Slot {
    PinnedBuffer host_input, host_output;
    DeviceBuffer input;
    Stream stream;  ///< of the copy to the device
    Event copied;
    std::vector<Part> parts;
  };
  struct GraphKey {
    int slot, token_bucket, row_bucket;
    const void* input;
    auto operator<=>(const GraphKey&) const = default;
  };
  struct CachedGraph {
    int runs = 0;
    bool refused = false;
    GraphExec executable;
  };
  /// Activations, [tokens, ...] each; `rows_*` are [rows, ...].
  struct Arena {
    void *hidden, *qkv, *context, *sums, *up, *rows_hidden, *rows_query, *head[2];
    float* output;
  };

  explicit FusedReplica(std::shared_ptr<const FusedModelState> model) : model_(std::move(model)) {}

  models::CudaOutcome Init();
  models::CudaOutcome ReserveArena();
  models::CudaOutcome ReserveInputs();
  size_t LayOutArena(void* base);
  models::CudaOutcome WarmUp();
  models::CudaOutcome RunPart(int slot, const Part& part);
  models::CudaOutcome Capture(const int32_t* input, const Part& part, GraphExec& executable);

  /// Queues the kernels of the whole encoder.
  models::CudaOutcome Forward(const int32_t* input, const Part& part);
  // Its steps; each returns false after noting in outcome_ what failed.
  bool Embeddings(const int32_t* input, const InputLayout& at, int tokens);
  bool WholeLayer(const Layer& layer, const int32_t* input, const InputLayout& at, const Part& part);
  bool LastLayer(const Layer& layer, const int32_t* input, const InputLayout& at, const Part& part);
  bool Attend(const Layer& layer, const void* queries, int query_stride, const int32_t* tiles,
              const int32_t* tile_count, const int32_t* type_ids, int blocks);
  bool AfterAttention(const Layer& layer, void* hidden, int rows);
  bool Head(const void* rows, int count);
  bool Product(const Linear& linear, const void* x, void* out, int rows, Epilogue epilogue,
               std::span<const void* const> peers, int out_stride = 0);
  bool Do(models::CudaOutcome outcome);
  bool Do(cudaError_t error, const char* what) { return Do(Outcome(error, what)); }

  Epilogue UpEpilogue(const Linear& up) const;
  bool ForAny(const Part& part) const;

  const std::shared_ptr<const FusedModelState> model_;
  int max_tokens_ = 0;
  Stream stream_;
  DeviceBuffer arena_, workspace_;
  Arena at_{};
  Slot slots_[kSlots];
  std::map<GraphKey, CachedGraph> graphs_;
  /// Weights of all layers for the timing of algorithms, by step.
  std::vector<const void*> qkv_, output_, up_, down_;
  models::CudaOutcome outcome_;
};

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_FUSED_REPLICA_H_
