// Random schedules, each carried out on a queue and on its shadow: whatever is done, the promises hold.
#include <algorithm>
#include <deque>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "batcher/batch_queue.h"
#include "tests/batcher/queue_checks.h"
#include "tests/batcher/queue_fixture.h"
#include "tests/batcher/queue_schedule.h"
#include "tests/batcher/shadow_queue.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr unsigned kSeeds = kSanitized ? 200 : 5000;

class Run {
 public:
  Run(const World& world, Tally& tally)
      : world_(world), tally_(tally), queue_(world.options), shadow_(world), checks_(queue_, shadow_, tally) {
    for (size_t i = 0; i < world_.models; ++i) AddModel();
    workers_.resize(world_.options.workers);
    queue_.NextBatch(kStart, workers_[0].running, ended_);  // it knows what time it is
  }

  /// What went wrong; empty if nothing did.
  std::string Execute(const Schedule& schedule) {
    try {
      for (const Operation& operation : schedule) {
        Do(operation);
        checks_.Counts();
        if (!checks_.good()) return checks_.failure();
      }
      End(world_.serve);
    } catch (const std::exception& error) {
      checks_.Fail(absl::StrCat("threw ", error.what()));
    }
    return checks_.failure();
  }

 private:
  struct Worker {
    Batch running, next;
    bool busy = false, has_next = false;
  };

  TimePoint Now() {
    shadow_.now = std::max(shadow_.now, clock_);
    return clock_;
  }

  void Do(const Operation& operation) {
    const uint32_t number = operation.number;
    Worker& worker = workers_[number % workers_.size()];
    switch (operation.op) {
      case Op::kPush:
        return Push(number);
      case Op::kReserve: {
        const size_t n = 1 + number % 4, model = number / 12 % shadow_.models.size();
        if (Reserve(model, n, static_cast<Priority>(number / 4 % kPriorities))) shadow_.models[model].reserved += n;
        return;
      }
      case Op::kUnreserve: {
        const ModelId model = number % shadow_.models.size();
        queue_.Unreserve(model, shadow_.models[model].reserved);
        shadow_.models[model].reserved = 0;
        return;
      }
      case Op::kNext:
        return Next(worker);
      case Op::kStage:
        return Stage(worker);
      case Op::kStart:
        return Start(worker);
      case Op::kFinish:
        if (worker.busy) Finish(worker, number);
        return;
      case Op::kRemove:
        return RemoveRecent(number);
      case Op::kAdvance:
        clock_ += number % 50 == 0 ? milliseconds(100000) : Duration(microseconds(number % 8000));
        return;
      case Op::kBack:
        clock_ -= milliseconds(number % 1000);
        return;
      case Op::kFlood:
        return Flood(number);
      case Op::kAdd:
        if (shadow_.models.size() < world_.limits.size()) AddModel();
        return;
      case Op::kClose:
        return CloseModel(number % shadow_.models.size());
      case Op::kErase:
        return EraseModel(number % shadow_.models.size());
    }
  }

  // ---- models

  void AddModel() {
    const size_t i = shadow_.models.size();
    shadow_.models.emplace_back();
    checks_.Check(queue_.AddModel(world_.limits[i], world_.known[i] ? world_.lines[i].Table() : CostTable()) == i,
                  "ids are not in order");
  }

  void CloseModel(ModelId model) {
    if (shadow_.models[model].erased) return;
    queue_.CloseModel(model);
    shadow_.models[model].closed = true;  // what is reserved is given back nevertheless
  }

  void EraseModel(ModelId model) {
    if (shadow_.models[model].erased || shadow_.HasGroupOf(model)) return;
    queue_.EraseModel(model);
    shadow_.models[model].closed = shadow_.models[model].erased = true;
    tally_.erased += 1;
  }

  // ---- what comes in

  bool Reserve(ModelId model, size_t n, Priority priority) {
    const Ask ask = shadow_.AskFor(model, priority, n, 1);
    const absl::Status status = queue_.Reserve(model, n, priority, ended_);
    const bool never_fits = n > world_.options.max_requests, closed = shadow_.models[model].closed;
    checks_.Check(status.ok() || absl::IsResourceExhausted(status) || never_fits || closed, status.ToString());
    checks_.Check(!status.ok() || !closed, "reserved for a closed model");
    checks_.Room(ask, status, ended_);
    return status.ok();
  }

  void Push(uint32_t number) {
    const TimePoint about = std::max(shadow_.now, clock_);
    std::minstd_rand random(number + 1);
    const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
    const size_t n = pick(0, 2) ? 1 : pick(1, 4);
    const ModelId model = pick(0, shadow_.models.size() - 1);
    const auto priority = static_cast<Priority>(pick(0, kPriorities - 1));
    std::vector<Request*> call;
    for (size_t i = 0; i < n; ++i) {
      const auto text = static_cast<int32_t>(pick(1, world_.texts));
      const size_t length = world_.texts < 10 ? static_cast<size_t>(text) * 5 : pick(1, pick(0, 4) ? 15 : 70);
      call.push_back(shadow_.NewRequest(text, length, model, priority));
      if (pick(0, 3)) call.back()->deadline = about + milliseconds(pick(0, 60));
    }
    PushCall(call);
  }

  /// Calls without deadlines for one model until one is refused.
  void Flood(uint32_t number) {
    const ModelId model = number % shadow_.models.size();
    const auto priority = static_cast<Priority>(number / 16 % kPriorities);
    for (int i = 0; i < 40; ++i) {
      const auto text = static_cast<int32_t>(1 + static_cast<size_t>(i) % world_.texts);
      if (!PushCall({shadow_.NewRequest(text, 1 + number / 64 % 20, model, priority)})) return;
    }
  }

  bool PushCall(const std::vector<Request*>& call) {
    const ModelId model = call[0]->model;
    const Priority priority = call[0]->priority;
    // With places that were reserved long ago, or just now.
    const bool held = call.size() <= shadow_.models[model].reserved;
    if (held) {
      shadow_.models[model].reserved -= call.size();
    } else if (!Reserve(model, call.size(), priority)) {
      return false;
    }
    size_t tokens = 0;
    for (const Request* request : call) tokens += request->ids.size();
    const TimePoint given = Now();
    const Ask ask = shadow_.AskFor(model, priority, call.size(), tokens);
    const bool expired = std::ranges::any_of(call, [&](const Request* r) { return r->deadline <= shadow_.now; });
    const bool idle = queue_.empty();
    const bool closed = shadow_.models[model].closed;
    const bool judged = world_.options.admission && !closed && queue_.costs(model).known();
    const absl::Status status = queue_.Push(call, given, ended_);
    checks_.Room(ask, status, ended_);
    checks_.Check(status.ok() || !ask.fits || expired || judged || closed,
                  absl::StrCat("refused without a reason: ", status.ToString()));
    checks_.Check(!status.ok() || (!expired && !closed), "accepted though expired or closed");
    if (held && IsFull(status)) tally_.lost_places += 1;
    if (!status.ok()) return false;
    for (Request* request : call) {
      Accept(*request);
      shadow_.Of(request).tries = idle;
    }
    return true;
  }

  void Accept(Request& request) {
    tally_.accepted += 1;
    checks_.Check(request.accepted == shadow_.now, "accepted at another time");
    checks_.Check(request.deadline != TimePoint::max(), "no deadline");
    if (shadow_.Accept(request)) tally_.twins += 1;
  }

  // ---- what goes out

  /// One of those that came last.
  void RemoveRecent(uint32_t number) {
    const auto& requests = shadow_.requests;
    if (requests.empty()) return;
    Remove(*requests[requests.size() - 1 - number % std::min<size_t>(requests.size(), 40)]->get());
  }

  void Remove(Request& request) {
    const Shadow::State state = shadow_.Of(&request).state;
    // A twin of one that runs is only waiting for the answer: it may go.
    const bool leads = state == Shadow::State::kRunning && shadow_.running_leaders.count(&request);
    const bool expected = state == Shadow::State::kWaiting || (state == Shadow::State::kRunning && !leads);
    checks_.Check(queue_.Remove(request) == expected,
                  absl::StrCat("Remove of ", shadow_.Name(&request), " should be ", expected));
    if (!expected) return;
    tally_.cancelled += 1;
    shadow_.Leave(request);
  }

  // ---- batches

  /// All staged batches were taken back.
  void Unstaged() {
    for (Group& group : shadow_.groups) group.staged = false;
  }

  void Next(Worker& worker) {
    if (worker.busy || worker.has_next) return;
    queue_.NextBatch(Now(), worker.running, ended_);
    Unstaged();
    checks_.Formed(worker.running, false, ended_);
    Started(worker);
  }

  void Stage(Worker& worker) {
    if (!worker.busy || worker.has_next) return;
    queue_.Stage(Now(), worker.next, ended_);
    checks_.Formed(worker.next, true, ended_);
    worker.has_next = !worker.next.requests.empty();
  }

  void Start(Worker& worker) {
    if (worker.busy || !worker.has_next) return;
    const std::vector<Request*> before = worker.next.requests;
    const bool kept = queue_.Start(Now(), worker.next, ended_);
    worker.has_next = false;
    worker.running = worker.next;
    if (kept) {
      tally_.kept += 1;
      checks_.Check(ended_.empty(), "something ended though nothing was chosen");
      checks_.Check(worker.running.requests == before, "another batch than was staged");
      checks_.NobodyMoreUrgent(worker.running);
    } else {
      tally_.formed_again += 1;
      for (const Request* request : before) {
        if (Group* group = shadow_.Of(request).group) group->staged = false;
      }
      checks_.Formed(worker.running, false, ended_);
    }
    Started(worker);
  }

  void Started(Worker& worker) {
    if (worker.running.requests.empty()) return;
    worker.busy = true;
    for (Request* request : worker.running.requests) {
      checks_.InTime(*request);
      shadow_.Start(*request);
    }
  }

  void Finish(Worker& worker, uint32_t number) {
    queue_.Finished(Now(), worker.running, number % 3 > 0);
    worker.busy = false;
    for (Request* request : worker.running.requests) {
      checks_.Together(*request, "not answered together");
      tally_.answered += shadow_.Finish(*request);
    }
    worker.running.Clear();
  }

  // ---- the end

  /// Everything ends, served or stopped.
  void End(bool serve) {
    for (int turn = 0; serve && turn < 10000 && !(queue_.empty() && shadow_.running_leaders.empty()); ++turn) {
      Do({Op::kFinish, static_cast<uint32_t>(turn)});
      Do({Op::kStart, static_cast<uint32_t>(turn)});
      Do({Op::kNext, static_cast<uint32_t>(turn)});
      Do({Op::kAdvance, 1001});
      checks_.Counts();
      if (!checks_.good()) return;
    }
    checks_.Check(!serve || queue_.empty(), "something waits for ever");
    Stop();
    checks_.Check(ended_.empty(), "something ended after Clear");
    checks_.Counts();
    for (const auto& [request, shadow] : shadow_.shadows) {
      checks_.Check(shadow.state == Shadow::State::kRefused || shadow.state == Shadow::State::kEnded,
                    absl::StrCat(shadow_.Name(request), " never ended"));
      checks_.Check(!queue_.Remove(*const_cast<Request*>(request)),
                    absl::StrCat(shadow_.Name(request), " can still be removed"));
    }
  }

  void Stop() {
    queue_.Clear(Ending::kStopped, ended_);
    checks_.Endings(Ending::kStopped, ended_);
    Unstaged();
    checks_.Counts();
    checks_.Check(queue_.empty(), "Clear left something");
    for (Worker& worker : workers_) {
      if (worker.has_next) {
        checks_.Check(!queue_.Start(Now(), worker.next, ended_) && worker.next.requests.empty(), "starts");
      }
      if (worker.busy) Finish(worker, 0);
    }
  }

  const World& world_;
  Tally& tally_;
  BatchQueue queue_;
  ShadowQueue shadow_;
  QueueChecks checks_;
  std::deque<Worker> workers_;  // batches stay where they are
  TimePoint clock_ = kStart;    // may jump back
  std::vector<Ended> ended_;
};

std::string Execute(const World& world, const Schedule& schedule, Tally& tally) {
  return Run(world, tally).Execute(schedule);
}

TEST_CASE("OverRandomSchedulesThePromisesHold") {
  Tally tally;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    const World world(seed);
    const Schedule schedule = RandomSchedule(seed);
    const std::string failure = Execute(world, schedule, tally);
    if (failure.empty()) continue;
    const Schedule shortest = Shrink(schedule, [&](const Schedule& part) {
      Tally ignored;
      return !Execute(world, part, ignored).empty();
    });
    FAIL("seed " << seed << ": " << failure << "; in short, " << Execute(world, shortest, tally) << ":"
                 << TextOf(shortest));
  }
  // What was accepted ended, and once.
  size_t ended = tally.answered + tally.cancelled;
  for (const auto& [why, n] : tally.endings) ended += n;
  CHECK(tally.accepted == ended);
  // The schedules reached everything that is to be proved.
  CHECK(tally.endings.size() == 5);
  for (const size_t n : {tally.answered, tally.cancelled, tally.refused, tally.twins, tally.passed_over, tally.kept,
                         tally.formed_again, tally.gave_room, tally.within_share, tally.lost_places, tally.erased}) {
    CHECK(n > kSeeds / 50);
  }
  std::string counts =
      absl::StrCat("accepted ", tally.accepted, ", answered ", tally.answered, ", cancelled ", tally.cancelled,
                   ", refused calls ", tally.refused, ", twins ", tally.twins, ", passed over ", tally.passed_over,
                   ", kept ", tally.kept, ", formed again ", tally.formed_again, ", gave room to another model ",
                   tally.gave_room, ", within their share of a full queue ", tally.within_share,
                   ", lost reserved places ", tally.lost_places, ", models erased ", tally.erased, ", by ending");
  for (const auto& [why, n] : tally.endings) absl::StrAppend(&counts, " ", static_cast<int>(why), ": ", n);
  WARN(counts);
}

}  // namespace
}  // namespace bertha::batcher
