// Any TorchScript module forward(input_ids, attention_mask[, token_type_ids]) behind the batcher's Encoder interface.
//
// The reference engine: it pads each batch to its longest sequence and lets LibTorch run the module as it was traced.
// This header is Torch-free; nothing outside the .cc knows of TorchScript.
#ifndef BERTHA_MODELS_TORCHSCRIPT_ENGINE_H_
#define BERTHA_MODELS_TORCHSCRIPT_ENGINE_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "models/families/named_weights.h"
#include "models/manifest.h"
#include "models/package_files.h"

namespace bertha::models {

/// A loaded module: immutable, shared by its replicas.
class TorchScriptModule {
 public:
  /// Loads `file` for the CPU in the module's own numeric type. INVALID_ARGUMENT if it is no TorchScript module, or has
  /// no forward() of these inputs; DATA_LOSS if somebody wrote to it meanwhile. The module is a program: load only what
  /// is trusted and checksummed.
  static absl::StatusOr<TorchScriptModule> Load(std::shared_ptr<const PackageFile> file, const Manifest& manifest);
  TorchScriptModule(TorchScriptModule&&) noexcept;
  ~TorchScriptModule();

  /// Lets LibTorch fold constants and inline calls, which makes forward passes faster and takes a while. Before the
  /// first replica.
  absl::Status Freeze();

  /// An encoder with buffers of its own, whose forward pass uses `threads` threads. It keeps the module alive.
  std::unique_ptr<batcher::Encoder> NewReplica(int threads) const;

  /// The weights by name, for an engine that computes with them itself. Those in fp32 are the module's own memory,
  /// which is freed when both are gone; others are copies in fp32.
  NamedWeights LiftWeights() const;

  size_t weight_bytes() const;

 private:
  struct Impl;
  explicit TorchScriptModule(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TORCHSCRIPT_ENGINE_H_
