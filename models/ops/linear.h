// y = activation(x · weights + bias) + residual for packed rows, shared out over a team of threads.
//
// Thread-safety: externally synchronised by the team.
#ifndef BERTHA_MODELS_OPS_LINEAR_H_
#define BERTHA_MODELS_OPS_LINEAR_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/functional/function_ref.h"
#include "models/families/encoder_weights.h"
#include "models/kernels/cpu/packed_matrix.h"
#include "models/kernels/cpu/row_kernels.h"
#include "models/kernels/cpu/thread_team.h"

namespace bertha::models {

/// Rows that a matrix product reads.
struct Activations {
  const std::byte* data = nullptr;
  size_t stride = 0;              ///< bytes from row to row
  const float* scales = nullptr;  ///< [rows], of 8-bit elements
};

/// Rows of results.
struct Rows {
  std::byte* data = nullptr;
  size_t stride = 0;  ///< bytes
  Element element = Element::kF32;
};

/// What is to be done with rows [begin, end) once all their columns are there; `member` as in ThreadTeam.
using FinishRows = absl::FunctionRef<void(size_t begin, size_t end, int member)>;

struct LinearCall {
  Activations in;
  size_t rows = 0;
  const PackedMatrix* weights = nullptr;
  /// The columns that are wanted: all, or whole parts of stacked weights. The first one is column 0 of `out`.
  size_t first_panel = 0, panels = 0;
  Activation activation = Activation::kNone;
  const float* residual = nullptr;  ///< or null; may be `out`
  size_t residual_stride = 0;       ///< elements
  Rows out;
};

/// Working memory of Linear and the threads to run on.
class LinearRunner {
 public:
  LinearRunner(ThreadTeam& team, const RowKernels& row_kernels) : team_(team), row_kernels_(row_kernels) {}

  void Run(const LinearCall& call) { Run(call, nullptr); }
  void Run(const LinearCall& call, FinishRows finish) { Run(call, &finish); }

  /// 2 * rows * inputs * outputs of all calls so far.
  double operations() const { return operations_; }

 private:
  static constexpr size_t kMaxBlocks = 4096;

  void Run(const LinearCall& call, const FinishRows* finish);
  void RunTask(const LinearCall& call, size_t begin, size_t end, size_t first_panel, size_t last_panel,
               size_t after) const;

  ThreadTeam& team_;
  const RowKernels& row_kernels_;
  double operations_ = 0;
  // Of each block of rows, the tasks that are still to be done.
  std::unique_ptr<std::atomic<uint32_t>[]> remaining_ = std::make_unique<std::atomic<uint32_t>[]>(kMaxBlocks);
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_OPS_LINEAR_H_
