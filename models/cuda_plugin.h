// What berthad and its two CUDA plug-ins agree on: libbertha_cuda.so (the fused engine: cudart and cuBLASLt) and
// libbertha_torch_cuda.so (TorchScript: libtorch_cuda). berthad links neither; it opens them on `device: cuda`.
//
// A plug-in exports one symbol, kCudaPluginSymbol, a CudaPluginEntry. Both sides must come from one build: the entry
// says so before anything else of it is used. No exception crosses. Thread-safety: a plug-in and its models may be used
// by many threads; a replica is one worker's, but Stage and Run of different slots may run at the same time on two
// threads.
#ifndef BERTHA_MODELS_CUDA_PLUGIN_H_
#define BERTHA_MODELS_CUDA_PLUGIN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/families/encoder_weights.h"

namespace bertha::models {

struct CudaOutcome {
  enum class Code {
    kOk,
    kInvalid,      ///< what was asked for cannot be done: a token id out of range, a head too large
    kUnavailable,  ///< no driver, no such device, a device too old
    kOutOfMemory,  ///< of the device, even for the smallest batch
    kInternal,     ///< this batch failed, the next may succeed
    kDeviceLost,   ///< the process cannot use the device any more: only a new process can
  };
  Code code = Code::kOk;
  std::string message = {};  ///< one line

  bool ok() const { return code == Code::kOk; }
};

struct CudaDevice {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  size_t total_bytes = 0, free_bytes = 0;
};

/// Of a device, in bytes. Used: by anybody, other processes too.
struct CudaMemory {
  size_t used_bytes = 0, total_bytes = 0;
};

enum class CudaDtype { kFp32, kFp16, kBf16 };

struct CudaModelOptions {
  int device = 0;
  /// The fused engine's. TorchScript runs in the module's own type.
  CudaDtype dtype = CudaDtype::kBf16;
  /// Most tokens that a replica runs at once, and so what its memory is made for; larger batches run in parts. Lowered
  /// when the device has no memory for it, but not below the model's longest sequence.
  size_t max_tokens = 8192;
  /// Batches of up to so many tokens run as CUDA graphs. 0: none.
  size_t graph_tokens = 512;
  /// Times the algorithms of each matrix product when the first replica is made, which takes about a second; else
  /// cuBLASLt's first guess is taken.
  bool tune = true;
  /// The approximation by tanh also where the model says erf: it costs no pass of its own, and an error of up to 5e-4.
  bool tanh_for_erf = false;
};

/// A TorchScript module, for the plug-in that runs those.
struct CudaModule {
  std::span<const std::byte> file;
  bool takes_type_ids = false;
  int32_t padding_id = 0, padding_type_id = 0;
  bool pads_left = false;
  bool row_per_token = false;
  size_t output_width = 0;
  size_t max_length = 0;
};

/// Read while the model is made, not kept. A plug-in uses the one that it is for.
struct CudaModelSource {
  const EncoderWeights* weights = nullptr;
  const CudaModule* module = nullptr;
};

/// As batcher::PackedBatch.
struct CudaBatch {
  std::span<const int32_t> ids, type_ids, cu_seqlens;

  size_t size() const { return cu_seqlens.empty() ? 0 : cu_seqlens.size() - 1; }
};

/// One worker's: a stream, buffers, two slots.
class CudaReplica {
 public:
  static constexpr int kSlots = 2;

  virtual ~CudaReplica() = default;
  /// Copies the batch into pinned memory and starts its way to the device.
  virtual CudaOutcome Stage(const CudaBatch& batch, int slot) = 0;
  /// Runs it; `values` becomes [rows, width], a row for each sequence or token of the batch, in order.
  virtual CudaOutcome Run(int slot, std::vector<float>& values) = 0;
  virtual size_t device_bytes() const = 0;
  virtual size_t max_tokens() const = 0;
};

/// Weights on one device, shared by its replicas, which keep them alive.
class CudaModel {
 public:
  virtual ~CudaModel() = default;
  virtual CudaOutcome NewReplica(std::unique_ptr<CudaReplica>& replica) = 0;
  virtual size_t weight_bytes() const = 0;
  /// "fp32", "fp16" or "bf16".
  virtual const char* dtype() const = 0;
};

class CudaPlugin {
 public:
  virtual ~CudaPlugin() = default;
  /// kUnavailable, with what is missing, if there is none.
  virtual CudaOutcome ListDevices(std::vector<CudaDevice>& devices) = 0;
  virtual CudaOutcome NewModel(const CudaModelSource& source, const CudaModelOptions& options,
                               std::unique_ptr<CudaModel>& model) = 0;
  /// Asks the driver. For devices that a model is on: on another one CUDA would first set itself up, which takes
  /// memory.
  virtual CudaOutcome ReadMemory(int device, CudaMemory& memory) = 0;
};

/// Raised with each change of this file or of EncoderWeights.
inline constexpr uint32_t kCudaPluginVersion = 2;
inline constexpr char kCudaPluginSymbol[] = "bertha_cuda_plugin";

struct CudaPluginEntry {
  uint32_t version = kCudaPluginVersion;
  /// Of the structures that cross, as the plug-in's compiler laid them out.
  uint32_t weights_size = sizeof(EncoderWeights), options_size = sizeof(CudaModelOptions);
  const char* build = BERTHA_VERSION;
  CudaPlugin* plugin = nullptr;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_CUDA_PLUGIN_H_
