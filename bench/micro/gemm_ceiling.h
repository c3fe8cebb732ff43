// The most that matrix products give on this machine: what an encoder's speed is a fraction of.
//
// One pass is the products of one BERT-base layer (768 to 2304, 768, 3072 and back) for 256 rows, with weights packed
// beforehand and no activations or norms. It is the benchmark's ceiling, not the hardware's peak.
#ifndef BERTHA_BENCH_MICRO_GEMM_CEILING_H_
#define BERTHA_BENCH_MICRO_GEMM_CEILING_H_

#include <functional>
#include <vector>

#include "absl/strings/string_view.h"

namespace bertha::bench {

struct GemmCeiling {
  /// Whose products: "fused" for those of our engine, "onednn".
  const char* by = "";
  /// Of one pass: a multiplication and an addition are two.
  double operations = 0;
  /// Runs one pass. Not thread-safe; must run on the thread that made it.
  std::function<void()> run;
};

/// Everything that can multiply `dtype` ("fp32", "bf16", "int8") here; nothing for other types. The fastest of them is
/// the ceiling.
std::vector<GemmCeiling> MakeGemmCeilings(absl::string_view dtype, int threads);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_MICRO_GEMM_CEILING_H_
