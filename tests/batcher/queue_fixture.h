// A queue with one model, requests to put into it, and tables of costs that are known exactly.
#ifndef BERTHA_TESTS_BATCHER_QUEUE_FIXTURE_H_
#define BERTHA_TESTS_BATCHER_QUEUE_FIXTURE_H_

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "batcher/batch_queue.h"
#include "tests/batcher/fakes.h"
#include "tests/catch.h"

namespace bertha::batcher {

// Sanitizers make everything ten times slower; what searches at random or through everything does less then.
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BERTHA_SANITIZED true
#endif
#endif
#ifndef BERTHA_SANITIZED
#define BERTHA_SANITIZED false
#endif
inline constexpr bool kSanitized = BERTHA_SANITIZED;

inline const TimePoint kStart = TimePoint(std::chrono::hours(1));

/// What a batch takes: fixed + per_token * tokens.
struct Line {
  Duration fixed{0}, per_token{0};
  Duration operator()(size_t tokens) const { return fixed + per_token * static_cast<int64_t>(tokens); }

  /// A table that knows it for every size up to 16384 tokens.
  CostTable Table() const {
    CostTable table;
    for (size_t tokens = 1; tokens <= 1 << 14; tokens *= 2) {
      for (size_t longest = 1; longest <= std::min<size_t>(tokens, 512); longest *= 2) {
        table.Record(tokens, longest, (*this)(tokens));
      }
    }
    return table;
  }
};

/// Ten milliseconds, whatever the batch.
inline const Line kTenMilliseconds{std::chrono::milliseconds(10), Duration(0)};

inline std::vector<Request*> Sorted(std::vector<Request*> requests) {
  std::ranges::sort(requests);
  return requests;
}

/// A request as a test writes it down.
struct Asked {
  size_t length = 1;
  TimePoint deadline = TimePoint::max();
  Priority priority = Priority::kNormal;
  ModelId model = 0;
  /// Requests with the same number and length are identical. Zero: like no other.
  int32_t text = 0;
};

struct QueueFixture {
  explicit QueueFixture(const QueueOptions& options = {}, const ModelLimits& limits = {}, CostTable costs = {})
      : queue(options) {
    queue.AddModel(limits, std::move(costs));
  }

  Request* New(const Asked& asked) {
    const int32_t text = asked.text ? asked.text : next_text_--;
    requests.push_back(std::make_unique<TestRequest>(text, asked.length, nullptr, asked.model));
    Request& request = requests.back()->request;
    request.deadline = asked.deadline;
    request.priority = asked.priority;
    return &request;
  }
  absl::Status Push(const std::vector<Request*>& call, TimePoint now = kStart) {
    if (absl::Status status = queue.Reserve(call[0]->model, call.size(), call[0]->priority, ended); !status.ok())
      return status;
    return queue.Push(call, now, ended);
  }
  /// Pushes one request, which must be accepted.
  Request* Pushed(const Asked& asked, TimePoint now = kStart) {
    Request* request = New(asked);
    const absl::Status status = Push({request}, now);
    INFO(status.ToString());
    REQUIRE(status.ok());
    return request;
  }
  absl::StatusCode CodeOf(const Asked& asked, TimePoint now = kStart) { return Push({New(asked)}, now).code(); }
  Batch Next(TimePoint now = kStart) {
    Batch batch;
    queue.NextBatch(now, batch, ended);
    return batch;
  }
  /// The requests of the next batch.
  std::vector<Request*> NextRequests(TimePoint now = kStart) { return Next(now).requests; }
  /// Those that ended for this reason, in that order.
  std::vector<Request*> EndedBy(Ending why) const {
    std::vector<Request*> found;
    for (const Ended& each : ended) {
      if (each.why == why) found.push_back(each.request);
    }
    return found;
  }

  BatchQueue queue;
  std::vector<std::unique_ptr<TestRequest>> requests;
  std::vector<Ended> ended;

 private:
  int32_t next_text_ = -1;
};

}  // namespace bertha::batcher

#endif  // BERTHA_TESTS_BATCHER_QUEUE_FIXTURE_H_
