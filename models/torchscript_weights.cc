#include "models/torchscript_weights.h"

#include <torch/script.h>

namespace bertha::models {
namespace {

NamedWeight Lift(const at::Tensor& tensor) {
  NamedWeight weight;
  weight.shape.assign(tensor.sizes().begin(), tensor.sizes().end());
  if (!tensor.is_floating_point() || tensor.layout() != at::kStrided) return weight;
  const auto dense = std::make_shared<const at::Tensor>(tensor.detach().to(at::kFloat).contiguous());
  weight.data = std::shared_ptr<const float>(dense, dense->const_data_ptr<float>());
  return weight;
}

}  // namespace

NamedWeights LiftWeights(const torch::jit::Module& module) {
  NamedWeights weights;
  for (const auto& parameter : module.named_parameters()) weights[parameter.name] = Lift(parameter.value);
  for (const auto& buffer : module.named_buffers()) weights[buffer.name] = Lift(buffer.value);
  return weights;
}

}  // namespace bertha::models
