// The most that matrix products give on this machine: what an encoder's speed is a fraction of.
//
// One pass is the products of one BERT-base layer (768 to 2304, 768, 3072 and back) for 256 rows, with weights packed
// beforehand and no biases, activations or norms. It is the benchmark's ceiling, not the hardware's peak.
#ifndef BERTHA_MODELS_GEMM_CEILING_H_
#define BERTHA_MODELS_GEMM_CEILING_H_

#include <functional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::models {

struct GemmCeiling {
  /// Of one pass: a multiplication and an addition are two.
  double operations = 0;
  /// Runs one pass. Not thread-safe; must run on the thread that made it.
  std::function<void()> run;
};

/// "fp32" or "bf16", by oneDNN; UNIMPLEMENTED for other types, or where it has no such product.
absl::StatusOr<GemmCeiling> MakeGemmCeiling(absl::string_view dtype, int threads);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_GEMM_CEILING_H_
