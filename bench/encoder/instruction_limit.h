// One processor measured as if it were a lesser one.
#ifndef BERTHA_BENCH_ENCODER_INSTRUCTION_LIMIT_H_
#define BERTHA_BENCH_ENCODER_INSTRUCTION_LIMIT_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bertha::bench {

/// Limits our kernels (models::LimitInstructionSet) and Torch's (ATen, oneDNN, MKL) to `level`, or nothing if it is
/// "auto". Torch's libraries read their limits from the environment when they are loaded: unless they stand there
/// already, the program starts again with `argv`, so call this first. INVALID_ARGUMENT for an unknown name.
absl::Status LimitInstructions(absl::string_view level, char** argv);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_INSTRUCTION_LIMIT_H_
