// The queue alone, on one thread: what happens under the dispatcher's mutex. bench_queue has more of it.
#include <benchmark/benchmark.h>

#include <chrono>
#include <random>
#include <span>
#include <vector>

#include "batcher/batch_queue.h"

namespace {

using namespace bertha::batcher;  // NOLINT: all of it is about the batcher

/// Requests of 16 to 128 tokens with deadlines and priorities that differ; range(0) of them always wait.
class Queue {
 public:
  explicit Queue(size_t waiting) : requests_(waiting + kBatch) {
    CostTable costs;
    for (const size_t tokens : {16, 128, 1024, 4096}) costs.Record(tokens, 64, Duration(100'000 + tokens * 100));
    queue_.AddModel({.max_batch_requests = kBatch}, costs);
    for (Request& request : requests_) spare_.push_back(&request);
    while (queue_.size() < waiting) Push();
  }

  void Push() {
    Request* request = spare_.back();
    spare_.pop_back();
    *request = Request();
    const size_t length = 16 + random_() % 113;
    request->ids = request->type_ids = std::span(ids_).first(length);
    request->deadline = now_ + std::chrono::milliseconds(1000 + random_() % 59000);
    request->priority = static_cast<Priority>(random_() % 3);
    if (queue_.Reserve(request->model, 1, request->priority, ended_).ok() &&
        queue_.Push(std::span(&request, 1), now_, ended_).ok()) {
      return;
    }
    spare_.push_back(request);
  }

  /// Requests that left.
  size_t Pop() {
    queue_.NextBatch(now_, batch_, ended_);
    queue_.Finished(now_ += batch_.cost, batch_);
    for (Request* request : batch_.requests) spare_.push_back(request);
    for (const Ended& each : ended_) spare_.push_back(each.request);
    ended_.clear();
    return batch_.requests.size();
  }

 private:
  static constexpr size_t kBatch = 32;

  std::mt19937_64 random_{1};
  std::vector<int32_t> ids_ = std::vector<int32_t>(256, 7);
  BatchQueue queue_{{.max_requests = 1 << 20, .max_tokens = size_t{1} << 40, .share_identical = false}};
  std::vector<Request> requests_;
  std::vector<Request*> spare_;
  std::vector<Ended> ended_;
  Batch batch_;
  TimePoint now_{std::chrono::hours(1)};
};

/// A request in and out, in batches.
void PushAndPop(benchmark::State& state) {
  Queue queue(static_cast<size_t>(state.range(0)));
  size_t pairs = 0;
  for (auto _ : state) {
    const size_t left = queue.Pop();
    for (size_t i = 0; i < left; ++i) queue.Push();
    pairs += left;
  }
  state.SetItemsProcessed(static_cast<int64_t>(pairs));
}
BENCHMARK(PushAndPop)->Arg(32)->Arg(1000)->Arg(10'000);

}  // namespace
