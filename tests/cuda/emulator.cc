#include "tests/cuda/emulator.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

namespace bertha::emulator {

Index thread_index, block_index, grid_size;

namespace {

constexpr int kLanes = 32;
constexpr size_t kStackBytes = 64 * 1024;

/// A barrier over those of its members that have not ended.
struct Barrier {
  int members = 0;
  int arrived = 0;
  uint64_t generation = 0;

  void Leave() {
    --members;
    OpenIfAll();
  }
  void OpenIfAll() {
    if (arrived == 0 || arrived < members) return;
    arrived = 0;
    ++generation;
  }
};

struct Warp {
  Barrier barrier;
  Exchanged given{};
};

/// A stack that a thread runs on. It begins by setcontext, which tells the kernel about signals each time; from then on
/// jumps, which do not, go to and fro.
struct Fiber {
  ucontext_t context;
  jmp_buf place;
  bool begun = false;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
  bool ended = false;
};

class Block {
 public:
  Block(int threads, size_t shared_bytes, const std::function<void()>& thread)
      : thread_(thread), fibers_(threads), warps_((threads + kLanes - 1) / kLanes), shared_(shared_bytes / 16 + 1) {
    block_.members = threads;
    for (int i = 0; i < threads; ++i) ++warps_[i / kLanes].barrier.members;
    memset(shared_.data(), 0xff, shared_.size() * sizeof shared_[0]);
  }

  /// Warps run in an order that `seed` makes, each as far as it gets without the others.
  void Run(unsigned seed) {
    std::vector<int> order(warps_.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(seed));
    for (Fiber& fiber : fibers_) Start(fiber);
    uint64_t before;
    do {
      before = steps_;
      for (const int warp : order) RunWarp(warp, seed % 2);
    } while (steps_ != before);
    for (const Fiber& fiber : fibers_) {
      if (!fiber.ended) Die("some threads of a block wait for others that never come");
    }
  }

  void Wait(Barrier& barrier) {
    const uint64_t generation = barrier.generation;
    ++barrier.arrived;
    ++steps_;
    barrier.OpenIfAll();
    while (barrier.generation == generation) Yield();
  }

  void SyncBlock() { Wait(block_); }

  Exchanged SyncWarp(uint64_t value) {
    Warp& warp = warps_[current_ / kLanes];
    warp.given.values[current_ % kLanes] = value;
    Wait(warp.barrier);
    const Exchanged all = warp.given;
    Wait(warp.barrier);
    return all;
  }

  unsigned char* shared() { return reinterpret_cast<unsigned char*>(shared_.data()); }

 private:
  struct alignas(16) Sixteen {
    char bytes[16];
  };

  [[noreturn]] static void Die(const char* message) {
    fprintf(stderr, "emulator: %s\n", message);
    abort();
  }

  static void Enter();

  void Start(Fiber& fiber) {
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = kStackBytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &Block::Enter, 0);
  }

  void RunWarp(int warp, bool backwards) {
    uint64_t before;
    do {
      before = steps_;
      for (int i = 0; i < kLanes; ++i) {
        const auto thread = static_cast<size_t>(warp * kLanes + (backwards ? kLanes - 1 - i : i));
        if (thread < fibers_.size() && !fibers_[thread].ended) Resume(static_cast<int>(thread));
      }
    } while (steps_ != before);
  }

  void Resume(int i) {
    current_ = i;
    thread_index = {static_cast<unsigned>(i), 0, 0};
    Fiber& fiber = fibers_[i];
    if (_setjmp(scheduler_)) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
  }

  void Yield() {
    if (!_setjmp(fibers_[current_].place)) _longjmp(scheduler_, 1);
  }

  [[noreturn]] void End() {
    fibers_[current_].ended = true;
    ++steps_;
    warps_[current_ / kLanes].given.values[current_ % kLanes] = 0;
    warps_[current_ / kLanes].barrier.Leave();
    block_.Leave();
    _longjmp(scheduler_, 1);
  }

  const std::function<void()>& thread_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::vector<Sixteen> shared_;
  Barrier block_;
  jmp_buf scheduler_;
  int current_ = 0;
  uint64_t steps_ = 0;
};

Block* running = nullptr;

void Block::Enter() {
  running->thread_();
  running->End();
}

}  // namespace

void SyncBlock() { running->SyncBlock(); }
Exchanged SyncWarp(uint64_t value) { return running->SyncWarp(value); }
unsigned char* SharedMemory() { return running->shared(); }

void RunKernel(dim3 grid, int threads, size_t shared_bytes, const std::function<void()>& thread) {
  static unsigned seed = 0;
  grid_size = {grid.x, grid.y, grid.z};
  for (unsigned y = 0; y < grid.y; ++y) {
    for (unsigned x = 0; x < grid.x; ++x) {
      block_index = {x, y, 0};
      Block block(threads, shared_bytes, thread);
      running = &block;
      block.Run(++seed);
    }
  }
  running = nullptr;
}

}  // namespace bertha::emulator

namespace bertha::cuda {
namespace {

uint16_t Number(uint64_t row, int column) {
  uint16_t number;
  memcpy(&number, reinterpret_cast<const char*>(row) + column * 2, sizeof number);
  return number;
}

void CheckRow(const void* row) {
  if (reinterpret_cast<uintptr_t>(row) % 16 == 0) return;
  fprintf(stderr, "emulator: a matrix row is not aligned to 16 bytes\n");
  abort();
}

template <class T>
float Value(uint32_t packed, int half) {
  const auto bits = static_cast<uint16_t>(packed >> (16 * half));
  T value;
  memcpy(static_cast<void*>(&value), &bits, sizeof value);
  return static_cast<float>(value);
}

}  // namespace

float __shfl_xor_sync(unsigned, float x, int offset) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const auto other = static_cast<uint32_t>(emulator::SyncWarp(bits).values[threadIdx.x % 32 ^ offset]);
  memcpy(&x, &other, sizeof x);
  return x;
}

void LoadMatrices(const void* row, uint32_t (&to)[4]) {
  CheckRow(row);
  const emulator::Exchanged rows = emulator::SyncWarp(reinterpret_cast<uint64_t>(row));
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int m = 0; m < 4; ++m) {
    const uint64_t from = rows.values[m * 8 + lane / 4];
    to[m] = Number(from, lane % 4 * 2) | static_cast<uint32_t>(Number(from, lane % 4 * 2 + 1)) << 16;
  }
  __syncwarp();
}

void LoadMatricesTransposed(const void* row, uint32_t (&to)[4]) {
  CheckRow(row);
  const emulator::Exchanged rows = emulator::SyncWarp(reinterpret_cast<uint64_t>(row));
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int m = 0; m < 4; ++m) {
    const uint64_t* from = rows.values + m * 8 + lane % 4 * 2;
    to[m] = Number(from[0], lane / 4) | static_cast<uint32_t>(Number(from[1], lane / 4)) << 16;
  }
  __syncwarp();
}

template <class T>
void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  float left[16][16], right[16][8];  // [rows, 16], [16, columns]
  for (int r = 0; r < 4; ++r) {
    const emulator::Exchanged given = emulator::SyncWarp(a[r]);
    for (int lane = 0; lane < 32; ++lane) {
      for (int half = 0; half < 2; ++half) {
        left[lane / 4 + r % 2 * 8][lane % 4 * 2 + half + r / 2 * 8] =
            Value<T>(static_cast<uint32_t>(given.values[lane]), half);
      }
    }
  }
  for (int r = 0; r < 2; ++r) {
    const emulator::Exchanged given = emulator::SyncWarp(r == 0 ? b0 : b1);
    for (int lane = 0; lane < 32; ++lane) {
      for (int half = 0; half < 2; ++half) {
        right[lane % 4 * 2 + half + r * 8][lane / 4] = Value<T>(static_cast<uint32_t>(given.values[lane]), half);
      }
    }
  }
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) c[i] += left[row][k] * right[k][column];
  }
}

template void MultiplyAdd<__half>(float (&)[4], const uint32_t (&)[4], uint32_t, uint32_t);
template void MultiplyAdd<__nv_bfloat16>(float (&)[4], const uint32_t (&)[4], uint32_t, uint32_t);

}  // namespace bertha::cuda
