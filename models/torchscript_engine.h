// Any TorchScript module forward(input_ids, attention_mask[, token_type_ids]) behind the batcher's Encoder interface.
//
// The reference engine: it pads each batch to its longest sequence and lets LibTorch run the module as it was traced.
// This header is Torch-free; nothing outside the .cc knows of TorchScript.
#ifndef BERTHA_MODELS_TORCHSCRIPT_ENGINE_H_
#define BERTHA_MODELS_TORCHSCRIPT_ENGINE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "models/manifest.h"
#include "models/model.h"

namespace bertha::models {

struct TorchScriptReplicas {
  /// [options.replicas], sharing one immutable module. Each has buffers of its own.
  std::vector<std::unique_ptr<batcher::Encoder>> replicas;
  size_t weight_bytes = 0;
};

/// Loads `path` for the CPU in the module's own numeric type. INVALID_ARGUMENT if it is no TorchScript module, or has
/// no forward() of these inputs. The module is a program: load only what is trusted and checksummed.
absl::StatusOr<TorchScriptReplicas> LoadTorchScript(const std::string& path, const Manifest& manifest,
                                                    const EngineOptions& options);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TORCHSCRIPT_ENGINE_H_
