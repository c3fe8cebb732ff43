#include "tests/batcher/queue_schedule.h"

#include <array>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr size_t kOperations = 300;

constexpr std::array<const char*, 14> kNames = {"push",   "reserve", "unreserve", "next",  "stage", "start", "finish",
                                                "remove", "advance", "back",      "flood", "add",   "close", "erase"};

}  // namespace

World::World(unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
  options.max_requests = pick(1, 30);
  options.max_tokens = pick(20, 400);
  options.default_deadline = milliseconds(pick(1, 80));
  options.max_queue_delay = milliseconds(pick(0, 2) ? 0 : pick(1, 10));
  options.max_priority_delay = milliseconds(pick(1, 20));
  options.max_skips = pick(0, 4);
  options.overload_target = milliseconds(pick(0, 1) ? 0 : pick(1, 20));
  options.overload_window = milliseconds(pick(1, 30));
  options.admission = pick(0, 1) == 1;
  options.share_identical = pick(0, 3) > 0;
  options.workers = pick(1, 3);
  models = pick(1, 3);
  for (size_t n = 0; n < kMostModels; ++n) {
    limits.push_back({.max_batch_requests = pick(1, 6),
                      .max_batch_tokens = pick(10, 60),
                      .pads = pick(0, 1) == 1,
                      .weight = static_cast<double>(pick(1, 40)) / 10});
    lines.push_back({microseconds(pick(100, 3000)), microseconds(pick(1, 100))});
    known.push_back(pick(0, 1) == 1);
  }
  texts = pick(0, 1) ? 3 : 1000;
  serve = pick(0, 1) == 1;
}
Schedule RandomSchedule(unsigned seed) {
  std::mt19937 random(seed + 1000000);
  std::discrete_distribution<int> ops({30, 4, 4, 18, 14, 14, 20, 8, 14, 2, 1, 1, 0.5, 2});
  Schedule schedule(kOperations);
  for (Operation& operation : schedule) {
    operation.op = static_cast<Op>(ops(random));
    operation.number = static_cast<uint32_t>(random() >> 1);
  }
  return schedule;
}

Schedule Shrink(Schedule schedule, absl::FunctionRef<bool(const Schedule&)> fails) {
  for (size_t piece = schedule.size() / 2; piece > 0; piece = piece > 1 ? piece / 2 : 0) {
    for (bool shorter = true; shorter;) {
      shorter = false;
      for (size_t at = 0; at + piece <= schedule.size();) {
        Schedule without = schedule;
        without.erase(without.begin() + static_cast<ptrdiff_t>(at),
                      without.begin() + static_cast<ptrdiff_t>(at + piece));
        if (fails(without)) {
          schedule = std::move(without);
          shorter = true;
        } else {
          at += piece;
        }
      }
    }
  }
  return schedule;
}

std::string TextOf(const Schedule& schedule) {
  std::string text;
  for (const auto& [op, number] : schedule) absl::StrAppend(&text, " ", kNames[static_cast<size_t>(op)], " ", number);
  return text;
}

}  // namespace bertha::batcher
