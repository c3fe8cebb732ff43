// A few threads that share out the tasks of one step after another.
//
// Tasks are taken from a counter, not dealt out: a thread that the system has taken off its core for a while delays the
// task it holds, and the others do the rest. Who has nothing to do looks for work for some microseconds, about as long
// as a step lasts that another thread is finishing, and then sleeps.
//
// Thread-safety: externally synchronised; one Run at a time.
#ifndef BERTHA_MODELS_KERNELS_CPU_THREAD_TEAM_H_
#define BERTHA_MODELS_KERNELS_CPU_THREAD_TEAM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace bertha::models {

class ThreadTeam {
 public:
  /// `task` is called once for each number below the count; `member` (0 is the caller of Run) tells whose scratch to
  /// use.
  using Task = absl::FunctionRef<void(size_t task, int member)>;

  /// The caller of Run is one of `threads` >= 1. The others stay on `cores`, one on each, if there are any.
  explicit ThreadTeam(int threads, const std::vector<int>& cores = {});
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  ~ThreadTeam();

  int size() const { return static_cast<int>(helpers_.size()) + 1; }

  /// Returns when all tasks are done. What they wrote is visible then. At most 2^31 - 1 tasks.
  void Run(size_t count, Task task);

 private:
  void Help(int member);
  bool DoTasks(int member);

  // How many tasks there are, in the upper half, and the next one to take. Together, so that who comes late, when the
  // next step has begun already, takes a task of that one or none.
  std::atomic<uint64_t> tasks_{0};
  std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> step_{0};
  std::atomic<bool> stops_{false};
  const Task* task_ = nullptr;
  std::vector<std::thread> helpers_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_KERNELS_CPU_THREAD_TEAM_H_
