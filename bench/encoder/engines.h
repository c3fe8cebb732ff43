// The engines that can be measured, and the one place that knows how each is made.
#ifndef BERTHA_BENCH_ENCODER_ENGINES_H_
#define BERTHA_BENCH_ENCODER_ENGINES_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/encoder.h"
#include "bench/encoder/operations.h"
#include "models/manifest.h"
#include "tokenizer/tokenizer.h"

namespace bertha::bench {

struct EngineChoice {
  /// "torchscript", "fused", or "auto": as the daemon chooses.
  std::string engine = "torchscript";
  /// "fp32", "bf16", "int8" or "auto".
  std::string dtype = "auto";
  /// Of one forward pass. 0: one or all, whichever answers faster, as the daemon chooses.
  int threads = 0;
  /// "cpu", "cuda" or "cuda:1".
  std::string device = "cpu";
};

/// "torchscript:fp32".
std::string NameOf(const EngineChoice& choice);

/// "fused:bf16", or "fused" with the `rest` of a choice. INVALID_ARGUMENT if there is no such engine or numeric type.
absl::StatusOr<EngineChoice> ParseEngine(absl::string_view text, EngineChoice rest);

struct Engine {
  /// As it came to be: no "auto", no 0 threads.
  EngineChoice choice;
  models::Manifest manifest;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  std::unique_ptr<batcher::Encoder> encoder;
  size_t weight_bytes = 0;
  double load_seconds = 0;
  /// What loading added to the resident memory of this process; later, what the first passes did too.
  double resident_bytes = 0;
  /// What its time is a fraction of; unset if nobody can tell for this model.
  std::optional<Architecture> architecture;
};

/// What the package's network is, so far as operations depend on it; unset if it is none that our engine knows, or the
/// package cannot be read (LoadEngine says why). Reads all of its weights, and forgets them.
std::optional<Architecture> ReadArchitecture(const std::string& directory);

/// Loads the package in `directory` for this engine. The errors of models::LoadModel; UNIMPLEMENTED for what this build
/// does not have.
absl::StatusOr<Engine> LoadEngine(const std::string& directory, const EngineChoice& choice);

/// Resident set of this process in bytes (proc(5), statm).
double ResidentBytes();

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_ENGINES_H_
