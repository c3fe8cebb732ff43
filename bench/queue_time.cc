// bench_queue [WAITING]: what the queue itself costs, on one thread: pairs of Push and leaving in a batch a second
// while WAITING (10,000) requests wait, and how long one Push takes. That is what happens under the dispatcher's mutex;
// hashing a text, to find its like, is done by the caller's thread before, and is timed for itself.
//
// Requests of 16 to 128 tokens with deadlines of 1 to 60 s and three priorities, which differ; the cost table is known
// and admission is on, so that nothing is left out; batches of up to 32.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

#include "batcher/batch_queue.h"

namespace bertha::batcher {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPairs = 2'000'000;

void Measure(size_t waiting, bool share_identical) {
  std::mt19937_64 random(1);
  std::vector<int32_t> ids(1 << 20);
  std::ranges::generate(ids, [&] { return static_cast<int32_t>(random() % 30000); });
  CostTable costs;
  // A fast accelerator: 100 us to launch a batch, and 10 tokens a microsecond.
  for (const size_t tokens : {16, 128, 1024, 4096}) costs.Record(tokens, 64, Duration(100'000 + tokens * 100));
  BatchQueue queue({.max_requests = 2 * waiting, .max_tokens = size_t{1} << 40, .share_identical = share_identical});
  queue.AddModel({.max_batch_requests = 32}, costs);

  std::vector<Request> requests(2 * waiting);
  std::vector<Request*> spare;
  for (Request& request : requests) spare.push_back(&request);
  std::vector<Ended> ended;
  TimePoint now(std::chrono::hours(1));
  size_t refused = 0, hashed = 0;
  Clock::duration hashing{0};
  /// The next request, as its caller has it when it takes the mutex.
  const auto prepare = [&] {
    Request* request = spare.back();
    spare.pop_back();
    *request = Request();
    const size_t length = 16 + random() % 113, at = random() % (ids.size() - length);
    request->ids = request->type_ids = std::span(ids).subspan(at, length);
    request->deadline = now + std::chrono::milliseconds(1000 + random() % 59000);
    request->priority = static_cast<Priority>(random() % 3);
    if (share_identical) {
      const auto start = Clock::now();
      Twins::Prepare(*request);
      hashing += Clock::now() - start;
      hashed += 1;
    }
    return request;
  };
  const auto push = [&](Request* request) {
    if (queue.Reserve(request->model, 1, request->priority, ended).ok() &&
        queue.Push(std::span(&request, 1), now, ended).ok()) {
      return;
    }
    refused += 1;
    spare.push_back(request);
  };
  Batch batch;
  const auto pop = [&] {
    queue.NextBatch(now, batch, ended);
    queue.Finished(now += batch.cost, batch);
    for (Request* request : batch.requests) spare.push_back(request);
    for (const Ended& each : ended) spare.push_back(each.request);
    ended.clear();
  };
  while (queue.size() < waiting && refused < waiting) push(prepare());
  const size_t before = queue.size();

  Clock::duration busy{0};
  const auto timed = [&](auto&& work) {
    const auto start = Clock::now();
    work();
    const auto took = Clock::now() - start;
    busy += took;
    return took;
  };
  size_t pairs = 0, batches = 0;
  std::vector<Request*> next;
  while (pairs < kPairs) {
    timed(pop);
    pairs += batch.requests.size();
    batches += 1;
    next.clear();
    for (size_t i = 0; i < batch.requests.size(); ++i) next.push_back(prepare());
    timed([&] { std::ranges::for_each(next, push); });
  }
  const double seconds = std::chrono::duration<double>(busy).count();

  std::vector<double> pushes;
  for (size_t i = 0; i < 200'000; ++i) {
    Request* request = prepare();
    pushes.push_back(std::chrono::duration<double, std::micro>(timed([&] { push(request); })).count());
    while (queue.size() > waiting) pop();
  }
  const auto quantile = [&](double part) {
    const auto at = pushes.begin() + static_cast<ptrdiff_t>(part * static_cast<double>(pushes.size() - 1));
    std::ranges::nth_element(pushes, at);
    return *at;
  };
  std::printf("%s\n", share_identical ? "identical texts computed once" : "every text for itself");
  std::printf("%zu waiting (%zu at the end), %zu refused\n", before, queue.size(), refused);
  std::printf("pairs of push and pop   %.2f million/s on one core   wanted >= 2   mean batch %.1f\n",
              static_cast<double>(pairs) / seconds / 1e6, static_cast<double>(pairs) / static_cast<double>(batches));
  std::printf("Push                    p50 %.2f us, p99 %.2f us      wanted p99 <= 2\n", quantile(0.5), quantile(0.99));
  if (hashed > 0) {
    std::printf("hashing, by the caller  %.0f ns a request\n",
                std::chrono::duration<double, std::nano>(hashing).count() / static_cast<double>(hashed));
  }
}

}  // namespace
}  // namespace bertha::batcher

int main(int argc, char** argv) {
  const size_t waiting = argc > 1 ? static_cast<size_t>(std::atoll(argv[1])) : 10'000;
  bertha::batcher::Measure(waiting, false);
  bertha::batcher::Measure(waiting, true);
  return 0;
}
