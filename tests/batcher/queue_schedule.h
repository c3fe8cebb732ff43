// What is done to a queue, at random: a world, which stays as it is, and a schedule of operations. Their numbers are
// read modulo what is there, so that any part of a schedule is one too: one that fails is made short before it shows.
#ifndef BERTHA_TESTS_BATCHER_QUEUE_SCHEDULE_H_
#define BERTHA_TESTS_BATCHER_QUEUE_SCHEDULE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "batcher/batch_former.h"
#include "batcher/queue_options.h"
#include "tests/batcher/queue_fixture.h"

namespace bertha::batcher {

enum class Op : uint8_t {
  kPush,
  kReserve,
  kUnreserve,
  kNext,
  kStage,
  kStart,
  kFinish,
  kRemove,
  kAdvance,
  kBack,
  kFlood,
  kAdd,
  kClose,
  kErase
};

struct Operation {
  Op op = Op::kPush;
  uint32_t number = 0;
};
using Schedule = std::vector<Operation>;

/// Everything that does not change in a run.
struct World {
  explicit World(unsigned seed);

  static constexpr size_t kMostModels = 8;
  QueueOptions options;
  size_t models = 0;  // at the beginning; the others may come
  std::vector<ModelLimits> limits;
  std::vector<Line> lines;
  std::vector<bool> known;
  size_t texts = 0;    // so many different ones come
  bool serve = false;  // what is left at the end; otherwise it is stopped
};

Schedule RandomSchedule(unsigned seed);

/// Leaves out what can be left out, larger pieces first, while it still fails.
Schedule Shrink(Schedule schedule, absl::FunctionRef<bool(const Schedule&)> fails);

std::string TextOf(const Schedule& schedule);

}  // namespace bertha::batcher

#endif  // BERTHA_TESTS_BATCHER_QUEUE_SCHEDULE_H_
