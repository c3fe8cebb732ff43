// Every order in which three requests, two workers, cancellation, expiry and shutdown can meet: each request ends
// exactly once in all of them. A depth-first search over what can happen next; each path is played from the beginning.
// Left out is only what cannot make a difference: which of two fresh workers begins, and cancelling what cannot be
// cancelled, which is tried after every event and must change nothing.
#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/batch_queue.h"
#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::seconds;

constexpr size_t kRequests = 3, kWorkers = 2;

enum class Op : uint8_t { kPush, kRemove, kNext, kStage, kStart, kFinish, kExpire, kClear };
constexpr std::array<const char*, 8> kNames = {"push", "remove", "next", "stage", "start", "finish", "expire", "clear"};

struct Step {
  Op op = Op::kPush;
  size_t which = 0;
};

struct Variant {
  /// Requests with the same number are identical.
  std::array<int32_t, kRequests> texts;
  /// In which they come; the first has the earliest deadline.
  std::array<size_t, kRequests> order;
  size_t max_batch_requests;
};

/// One path. What may happen next follows from what the dispatcher may do: a worker stages while it runs a batch, and
/// starts what it has staged.
class Path {
 public:
  explicit Path(const Variant& variant)
      : variant_(variant), queue_(QueueOptions{.admission = false, .workers = kWorkers}) {
    queue_.AddModel({.max_batch_requests = variant.max_batch_requests});
    for (size_t i = 0; i < kRequests; ++i) {
      requests_.emplace_back(variant.texts[i], 1);
      // The first one expires; a later deadline makes the others less urgent.
      requests_[i].request.deadline = kStart + seconds(1 + static_cast<int64_t>(i));
    }
  }

  std::vector<Step> Possible() const {
    std::vector<Step> steps;
    const size_t pushed = static_cast<size_t>(std::ranges::count(pushed_, true));
    if (pushed < kRequests && !cleared_) steps.push_back({Op::kPush, variant_.order[pushed]});
    for (size_t i = 0; i < kRequests; ++i) {
      if (CanLeave(i)) steps.push_back({Op::kRemove, i});
    }
    for (size_t i = 0; i < kWorkers; ++i) {
      const Worker& worker = workers_[i];
      if (!worker.busy && worker.has_next) steps.push_back({Op::kStart, i});
      // Workers are alike: of those that never worked the first one begins.
      const bool first = i == 0 || worker.worked || workers_[i - 1].worked;
      if (!worker.busy && !worker.has_next && !queue_.empty() && first) steps.push_back({Op::kNext, i});
      if (worker.busy && !worker.has_next && queue_.unstaged() > 0) steps.push_back({Op::kStage, i});
      if (worker.busy) steps.push_back({Op::kFinish, i});
    }
    if (!expired_) steps.push_back({Op::kExpire, 0});
    if (!cleared_) steps.push_back({Op::kClear, 0});
    return steps;
  }

  void Take(const Step& step) {
    Worker& worker = workers_[step.which % kWorkers];
    const TimePoint now = expired_ ? kStart + seconds(1) : kStart;
    Request& request = requests_[step.which].request;
    switch (step.op) {
      case Op::kPush: {
        Request* one = &request;
        pushed_[step.which] = true;
        const bool accepted =
            queue_.Reserve(0, 1, one->priority, ended_).ok() && queue_.Push({&one, 1}, now, ended_).ok();
        accepted_[step.which] = accepted;
        Check(accepted == (one->deadline > now), "wrongly accepted or refused");
        break;
      }
      case Op::kRemove:
        Check(queue_.Remove(request), "what waits could not be removed");
        End(request);
        break;
      case Op::kNext:
        queue_.NextBatch(now, worker.running, ended_);
        worker.busy = !worker.running.requests.empty();
        worker.worked = true;
        CheckStarts(worker.running, now);
        break;
      case Op::kStage:
        queue_.Stage(now, worker.next, ended_);
        worker.has_next = !worker.next.requests.empty();
        break;
      case Op::kStart:
        queue_.Start(now, worker.next, ended_);
        std::swap(worker.running, worker.next);
        worker.has_next = false;
        worker.busy = !worker.running.requests.empty();
        CheckStarts(worker.running, now);
        break;
      case Op::kFinish:
        queue_.Finished(now, worker.running);
        worker.busy = false;
        for (Request* leader : worker.running.requests) {
          runs_[IndexOf(*leader)] = false;
          for (Request* each = leader; each; each = each->twin()) End(*each);
        }
        break;
      case Op::kExpire:
        expired_ = true;
        break;
      case Op::kClear:
        cleared_ = true;
        queue_.Clear(Ending::kStopped, ended_);
        Check(queue_.empty() && queue_.tokens() == 0 && queue_.unstaged() == 0, "Clear left something");
        break;
    }
    for (const Ended& each : ended_) End(*each.request);
    ended_.clear();
    // Cancelling what has ended, runs, or never came is no event: it changes nothing.
    for (size_t i = 0; i < kRequests; ++i) {
      if (!CanLeave(i)) Check(!queue_.Remove(requests_[i].request), "what does not wait was removed");
    }
    size_t open = 0;
    for (size_t i = 0; i < kRequests; ++i) open += accepted_[i] && times_[i] == 0;
    Check(queue_.size() <= open, "more waits than came");
  }

  /// Nothing more can happen.
  void CheckEnd() {
    Check(queue_.empty() && queue_.tokens() == 0 && !queue_.Waits(0), "something is left");
    for (size_t i = 0; i < kRequests; ++i) {
      Check(times_[i] == accepted_[i], absl::StrCat("request ", i, " ended ", times_[i], " times"));
    }
  }

  const std::string& failure() const { return failure_; }

 private:
  struct Worker {
    Batch running, next;
    bool busy = false, has_next = false, worked = false;
  };

  /// It waits, or is a twin of one that runs.
  bool CanLeave(size_t i) const { return accepted_[i] && times_[i] == 0 && !runs_[i]; }

  void Check(bool good, const std::string& what) {
    if (!good && failure_.empty()) failure_ = what;
  }
  size_t IndexOf(const Request& request) const {
    for (size_t i = 0; i < kRequests; ++i) {
      if (&requests_[i].request == &request) return i;
    }
    return kRequests;
  }
  void End(const Request& request) {
    const size_t i = IndexOf(request);
    times_[i] += 1;
    Check(accepted_[i] && times_[i] == 1, absl::StrCat("request ", i, " ended ", times_[i], " times"));
  }
  void CheckStarts(const Batch& batch, TimePoint now) {
    for (const Request* leader : batch.requests) {
      runs_[IndexOf(*leader)] = true;
      for (const Request* each = leader; each; each = each->twin()) {
        Check(accepted_[IndexOf(*each)] && times_[IndexOf(*each)] == 0, "what has ended starts");
        Check(each->deadline > now, "what is expired starts");
      }
    }
  }

  const Variant& variant_;
  BatchQueue queue_;
  std::deque<TestRequest> requests_;
  std::array<Worker, kWorkers> workers_;
  std::array<bool, kRequests> pushed_ = {}, accepted_ = {}, runs_ = {};
  std::array<int, kRequests> times_ = {};
  bool expired_ = false, cleared_ = false;
  std::vector<Ended> ended_;
  std::string failure_;
};

std::string Text(const std::vector<Step>& steps) {
  std::string text;
  for (const auto& [op, which] : steps) absl::StrAppend(&text, " ", kNames[static_cast<size_t>(op)], " ", which);
  return text;
}

struct Search {
  const Variant& variant;
  size_t paths = 0, longest = 0;
  std::vector<Step> steps = {};
  std::string failure = {};

  void Explore() { Explore(std::make_unique<Path>(variant)); }

 private:
  /// `path` has taken `steps`.
  void Explore(std::unique_ptr<Path> path) {
    if (!failure.empty()) return;
    const std::vector<Step> possible = path->Possible();
    if (possible.empty()) path->CheckEnd();
    if (!path->failure().empty()) {
      failure = absl::StrCat(path->failure(), ":", Text(steps));
      return;
    }
    if (possible.empty()) {
      paths += 1;
      longest = std::max(longest, steps.size());
      return;
    }
    for (const Step& step : possible) {
      if (!path) {
        path = std::make_unique<Path>(variant);
        for (const Step& taken : steps) path->Take(taken);
      }
      path->Take(step);
      steps.push_back(step);
      Explore(std::move(path));
      steps.pop_back();
    }
  }
};

TEST_CASE("InEveryOrderOfEventsEachRequestEndsExactlyOnce") {
  size_t variants = 0, paths = 0, longest = 0;
  for (const std::array<int32_t, kRequests> texts : {std::array{1, 2, 3}, std::array{1, 2, 1}}) {
    for (const size_t max_batch_requests : {1, 3}) {
      std::array<size_t, kRequests> order = {0, 1, 2};
      do {
        const Variant variant{texts, order, max_batch_requests};
        Search search{variant};
        search.Explore();
        CAPTURE(texts, max_batch_requests, order);
        REQUIRE(search.failure == "");
        variants += 1;
        paths += search.paths;
        longest = std::max(longest, search.longest);
      } while (!kSanitized && std::ranges::next_permutation(order).found);
    }
  }
  CHECK(paths > 100000);
  WARN(variants << " variants, " << paths << " orders of at most " << longest << " events");
}

}  // namespace
}  // namespace bertha::batcher
