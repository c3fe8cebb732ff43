// What the processor can compute with, found at run time.
//
// Thread-safety: free functions; LimitInstructionSet before the first engine is made.
#ifndef BERTHA_MODELS_KERNELS_CPU_INSTRUCTION_SET_H_
#define BERTHA_MODELS_KERNELS_CPU_INSTRUCTION_SET_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bertha::models {

/// What the kernels ask for. A processor without any of it is served by kernels for its baseline.
struct InstructionSet {
  bool avx2 = false;
  bool avx512 = false;       ///< F, BW, DQ and VL
  bool avx512_vnni = false;  ///< products of 8-bit integers
  bool avx512_bf16 = false;
  bool amx = false;  ///< tiles of bf16 and of 8-bit integers
};

/// What this processor has and LimitInstructionSet has left, the operating system's permission for AMX included.
const InstructionSet& AvailableInstructions();

/// For people: "AVX-512 (VNNI, BF16)".
std::string InstructionSetName();

/// Uses nothing above `level`: "baseline", "avx2", "avx512", "avx512_bf16" or "amx", so that one machine can show and
/// test what another one would run. INVALID_ARGUMENT for another name.
absl::Status LimitInstructionSet(absl::string_view level);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_INSTRUCTION_SET_H_
