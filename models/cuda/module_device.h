// Moves a TorchScript module that was traced on the CPU to another device. Torch-free for those that include it.
#ifndef BERTHA_MODELS_CUDA_MODULE_DEVICE_H_
#define BERTHA_MODELS_CUDA_MODULE_DEVICE_H_

#include <string>

namespace torch::jit {
struct Module;
}

namespace bertha::cuda {

/// Parameters and buffers, and what the trace baked in besides: tensors (but single numbers, which may stay) that stand
/// in the graphs as constants, and the device that `arange` and its like were told to make theirs on. `device` as Torch
/// writes it: "cuda:0". The module must not be frozen yet, nor have run. Throws what Torch throws.
void MoveModule(torch::jit::Module& module, const std::string& device);

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_MODULE_DEVICE_H_
