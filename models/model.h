// A package on disk becomes something that can serve: verified, tokenizer built, engine loaded and checked.
//
// Thread-safety: LoadModel may run beside serving threads. It runs forward passes on the calling thread, which so gets
// an OpenMP pool of its own: call it from few threads. It sets the number of threads for the calling thread only. A
// Model may be destroyed on any thread that it is not used on.
#ifndef BERTHA_MODELS_MODEL_H_
#define BERTHA_MODELS_MODEL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/encoder.h"
#include "models/cuda_engine.h"
#include "models/manifest.h"
#include "models/probes.h"
#include "models/self_check.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

/// Who computes.
enum class EngineChoice {
  kAuto,         ///< the fused engine where it can, else TorchScript
  kFused,        ///< or the package is refused
  kTorchScript,  ///< always
};

struct EngineOptions {
  EngineChoice engine = EngineChoice::kAuto;
  /// Of the fused engine: "fp32", "bf16", "int8", or "auto", the first of int8, bf16 and fp32 that passes the
  /// self-check. A type that does not pass gives way to the next one of that order.
  std::string dtype = "fp32";
  /// "cpu", or CUDA devices: "cuda", "cuda:0", "cuda:0,1" (models/cuda_model.h). There int8 is bf16, and there is fp16
  /// for devices without bf16.
  std::string device = "cpu";
  /// Tokens of the largest batch: memory for it is there from the start. 0: it comes with the first one.
  size_t batch_tokens = 0;
  /// Encoder replicas that share the weights, one for each worker thread. 0: as many as have cores, `max_threads` by
  /// the threads of one; of CUDA devices one for each.
  size_t replicas = 1;
  /// Threads of one forward pass. 0: what is measured here and now, the fewest that are nearly as fast as any number of
  /// them; a small model loses more to the hand-over between threads than it wins.
  int threads = 1;
  /// Threads of all replicas together, if they are chosen. More than there are free cores makes a forward pass slower,
  /// much slower.
  int max_threads = 1;
  /// Cores to stay on, or none: the fused engine's threads of replica i take those behind the i-th of as many equal
  /// parts of the list, whose first one is left to the replica's worker.
  std::vector<int> cores = {};
  /// Checks a large model with some of the probes only: for a server that is waited for, where `bertha package verify`
  /// has seen all.
  bool quick_check = false;
};

/// Whether `engine` computes in place of something that was asked for, after `refused` (as in Model): TorchScript in
/// place of the fused engine, or another numeric type than `dtype` of EngineOptions, which is none that "auto" asks
/// for.
bool FellBack(absl::string_view engine, absl::string_view dtype, const std::vector<std::string>& refused);

struct Model {
  Manifest manifest;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  /// [replicas]
  std::vector<std::unique_ptr<batcher::Encoder>> replicas;
  ProbeReport probes;
  /// A few of the shortest probes, which were among those compared: for asking again while the model serves.
  std::vector<Probe> canaries;
  /// Why something faster or smaller does not compute it, one line each: "int8: ...".
  std::vector<std::string> refused;
  /// See FellBack.
  bool fell_back = false;
  /// Threads of one forward pass.
  int threads = 1;
  /// Bytes of the weights in memory.
  size_t weight_bytes = 0;
  /// That replicas are on.
  std::vector<CudaDeviceInUse> cuda_devices;
};

/// Loads and checks the package in `dir` as docs/package.md says. The message of an error begins with the name of the
/// file that is to blame.
absl::StatusOr<Model> LoadModel(const std::string& dir, const EngineOptions& options);

/// The content of probes.json for a package made by hand, sealed or not: what its tokenizer and its module give here
/// for `texts`. It proves only that the files are read the same way later. Errors as LoadModel, and those of
/// EncodeProbes.
absl::StatusOr<std::string> MakeProbes(const std::string& dir, const std::vector<ProbeText>& texts);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_MODEL_H_
