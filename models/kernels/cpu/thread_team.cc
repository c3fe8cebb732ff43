#include "models/kernels/cpu/thread_team.h"

#include <pthread.h>
#include <sched.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace bertha::models {
namespace {

// Some 20 microseconds.
constexpr int kLooks = 1000;

void Pause() {
#ifdef __x86_64__
  _mm_pause();
#else
  std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace

ThreadTeam::ThreadTeam(int threads, const std::vector<int>& cores) {
  for (int member = 1; member < threads; ++member) {
    helpers_.emplace_back([this, member] { Help(member); });
    if (cores.empty()) continue;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cores[static_cast<size_t>(member - 1) % cores.size()]), &set);
    pthread_setaffinity_np(helpers_.back().native_handle(), sizeof set, &set);  // a core that is gone: anywhere then
  }
}

ThreadTeam::~ThreadTeam() {
  stops_.store(true, std::memory_order_relaxed);
  step_.fetch_add(1, std::memory_order_release);
  step_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void ThreadTeam::Run(size_t count, Task task) {
  if (helpers_.empty() || count <= 1) {
    for (size_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
  task_ = &task;
  done_.store(0, std::memory_order_relaxed);
  tasks_.store(uint64_t{count} << 32, std::memory_order_release);
  step_.fetch_add(1, std::memory_order_release);
  step_.notify_all();
  DoTasks(0);
  const auto all = static_cast<uint32_t>(count);
  uint32_t done = done_.load(std::memory_order_acquire);
  for (int looks = 0; done != all; done = done_.load(std::memory_order_acquire)) {
    if (looks < kLooks) {
      ++looks;
      Pause();
    } else {
      done_.wait(done, std::memory_order_acquire);
    }
  }
}

bool ThreadTeam::DoTasks(int member) {
  bool did = false;
  for (;;) {
    // Looked at first: the counter must not run away while nothing is there to take.
    uint64_t tasks = tasks_.load(std::memory_order_relaxed);
    if (static_cast<uint32_t>(tasks) >= tasks >> 32) return did;
    tasks = tasks_.fetch_add(1, std::memory_order_acquire);
    const uint64_t count = tasks >> 32;
    const auto taken = static_cast<uint32_t>(tasks);
    if (taken >= count) return did;
    (*task_)(taken, member);
    did = true;
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done_.notify_one();
  }
}

void ThreadTeam::Help(int member) {
  int looks = 0;
  for (;;) {
    const uint32_t step = step_.load(std::memory_order_acquire);
    if (stops_.load(std::memory_order_relaxed)) return;
    if (DoTasks(member)) {
      looks = 0;
    } else if (looks < kLooks) {
      ++looks;
      Pause();
    } else {
      step_.wait(step, std::memory_order_acquire);
      looks = 0;
    }
  }
}

}  // namespace bertha::models
