// What does not fit into memory at once may fit in halves.
#ifndef BERTHA_MODELS_CUDA_RUN_IN_PARTS_H_
#define BERTHA_MODELS_CUDA_RUN_IN_PARTS_H_

#include <cstddef>

#include "models/cuda_plugin.h"

namespace bertha::cuda {

/// run(first, count) for all of [first, first + count), or for parts of it, in order: a part that is out of memory is
/// halved until it is a single one. Returns the first other failure.
template <class RunPart>
models::CudaOutcome RunInParts(size_t first, size_t count, RunPart& run) {
  models::CudaOutcome outcome = run(first, count);
  if (outcome.code != models::CudaOutcome::Code::kOutOfMemory || count <= 1) return outcome;
  outcome = RunInParts(first, count / 2, run);
  if (!outcome.ok()) return outcome;
  return RunInParts(first + count / 2, count - count / 2, run);
}

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_RUN_IN_PARTS_H_
