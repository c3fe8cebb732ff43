// Lifts the weights out of a TorchScript module. Torch-free for those that include it.
#ifndef BERTHA_MODELS_TORCHSCRIPT_WEIGHTS_H_
#define BERTHA_MODELS_TORCHSCRIPT_WEIGHTS_H_

#include "models/families/named_weights.h"

namespace torch::jit {
struct Module;
}

namespace bertha::models {

/// Parameters and buffers of a module on the CPU, not yet frozen, by name. Those in fp32 are shared with the module;
/// bf16, fp16 and fp64 are converted.
NamedWeights LiftWeights(const torch::jit::Module& module);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TORCHSCRIPT_WEIGHTS_H_
