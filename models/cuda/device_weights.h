// An encoder's weights on the device: 16-bit (or fp32), query, key and value in one matrix, XLNet's position keys made.
//
// Thread-safety: immutable once loaded.
#ifndef BERTHA_MODELS_CUDA_DEVICE_WEIGHTS_H_
#define BERTHA_MODELS_CUDA_DEVICE_WEIGHTS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "models/cuda/batch_layout.h"
#include "models/cuda/device_memory.h"
#include "models/cuda_plugin.h"
#include "models/kernels/cuda/kernels.h"
#include "models/kernels/cuda/matmul.h"

namespace bertha::cuda {

/// A bias both as matrix products add it, in the weights' type, and as own kernels do, in fp32. Null: none.
struct Linear {
  const void* weight = nullptr;  ///< [outputs, inputs]
  const void* bias = nullptr;
  const float* fp32_bias = nullptr;
  int inputs = 0, outputs = 0;
};

struct Layer {
  Linear qkv;  ///< outputs: queries, keys, values
  Linear output, up, down;
  Norm attention_norm, output_norm;
  RelativeTerms relative;  ///< type_ids are the batch's
};

/// One of the two is there.
struct HeadStep {
  Linear linear;
  const float* fp32_weight = nullptr;  ///< of the last step with few outputs
  models::Activation activation = models::Activation::kNone;
};

struct DeviceWeights {
  Dtype dtype = Dtype::kFp32;
  int hidden = 0, heads = 0, head_size = 0, intermediate = 0, embedding_width = 0, output_width = 0;
  models::Activation activation = models::Activation::kGelu;
  InputRules rules;

  const void* words = nullptr;
  const void* positions = nullptr;
  const void* types = nullptr;
  Norm embedding_norm;
  std::optional<Linear> projection;
  std::vector<Layer> layers;
  std::vector<size_t> order;
  std::vector<HeadStep> head;

  std::vector<DeviceBuffer> buffers;

  int attention_width() const { return heads * head_size; }
  size_t bytes() const;
};

/// kInvalid with one line for shapes that do not fit together, a head larger than kMaxHeadSize, numbers that are not
/// finite or, in fp16, too large.
models::CudaOutcome CheckWeights(const models::EncoderWeights& weights);
models::CudaOutcome LoadWeights(const models::EncoderWeights& weights, Dtype dtype, Matmul& matmul,
                                DeviceWeights& device);

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_DEVICE_WEIGHTS_H_
