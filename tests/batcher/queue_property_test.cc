// Random schedules against a plain model of what must hold. A schedule is a list of operations whose numbers are read
// modulo what is there, so that any part of it is a schedule too: one that fails is made as short as possible before it
// is printed.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "batcher/batch_queue.h"
#include "tests/batcher/queue_fixture.h"
#include "tests/catch.h"

namespace bertha::batcher {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr unsigned kSeeds = kSanitized ? 200 : 5000;
constexpr size_t kOperations = 300;

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
constexpr std::array<const char*, 14> kNames = {"push",   "reserve", "unreserve", "next",  "stage", "start", "finish",
                                                "remove", "advance", "back",      "flood", "add",   "close", "erase"};

struct Operation {
  Op op = Op::kPush;
  uint32_t number = 0;
};
using Schedule = std::vector<Operation>;

/// Everything that does not change in a run.
struct World {
  explicit World(unsigned seed) {
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
  static constexpr size_t kMostModels = 8;
  QueueOptions options;
  size_t models = 0;  // at the beginning; the others may come
  std::vector<ModelLimits> limits;
  std::vector<Line> lines;
  std::vector<bool> known;
  size_t texts = 0;    // so many different ones come
  bool serve = false;  // what is left at the end; otherwise it is stopped
};

/// A request as the model sees it.
struct Shadow {
  enum class State : uint8_t { kRefused, kWaiting, kRunning, kEnded };
  State state = State::kRefused;
  uint64_t sequence = 0;
  struct Group* group = nullptr;
  /// It may have been let in to try out what an estimate is worth.
  bool tries = false;
};

/// Identical requests, of which one is computed.
struct Group {
  std::tuple<ModelId, Priority, int32_t, size_t> key;
  std::vector<Request*> members;
  Priority rank = Priority::kNormal;
  size_t skips = 0;
  bool staged = false;
};

/// What happened, for the proof that the schedules reach everything.
struct Tally {
  size_t accepted = 0, answered = 0, cancelled = 0, refused = 0, twins = 0, passed_over = 0, kept = 0, formed_again = 0;
  /// Evicted for another model; calls that were within their share of a full queue; reserved places that others got;
  /// models that went.
  size_t gave_room = 0, within_share = 0, lost_places = 0, erased = 0;
  std::map<Ending, size_t> endings;
};

class Run {
 public:
  Run(const World& world, Tally& tally) : world_(world), tally_(tally), queue_(world.options) {
    for (size_t i = 0; i < world_.models; ++i) AddModel();
    workers_.resize(world_.options.workers);
    queue_.NextBatch(kStart, workers_[0].running, ended_);  // it knows what time it is
  }

  /// What went wrong; empty if nothing did.
  std::string Execute(const Schedule& schedule) {
    try {
      for (const Operation& operation : schedule) {
        Do(operation);
        CheckCounts();
        if (!failure_.empty()) return failure_;
      }
      End(world_.serve);
    } catch (const std::exception& error) {
      Fail(absl::StrCat("threw ", error.what()));
    }
    return failure_;
  }

 private:
  struct Worker {
    Batch running, next;
    bool busy = false, has_next = false;
  };
  struct Model {
    bool closed = false, erased = false;
    size_t reserved = 0;
  };

  void Fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }
  void Check(bool good, const std::string& what) {
    if (!good) Fail(what);
  }
  std::string Name(const Request* request) const { return absl::StrCat("request ", index_.at(request)); }

  TimePoint Now() {
    now_ = std::max(now_, clock_);
    return clock_;
  }

  void AddModel() {
    const size_t i = models_.size();
    models_.emplace_back();
    Check(queue_.AddModel(world_.limits[i], world_.known[i] ? world_.lines[i].Table() : CostTable()) == i,
          "ids are not in order");
  }

  void Do(const Operation& operation) {
    const uint32_t number = operation.number;
    Worker& worker = workers_[number % workers_.size()];
    switch (operation.op) {
      case Op::kPush:
        return Push(number);
      case Op::kReserve: {
        const size_t n = 1 + number % 4, model = number / 12 % models_.size();
        if (Reserve(model, n, static_cast<Priority>(number / 4 % kPriorities))) models_[model].reserved += n;
        return;
      }
      case Op::kUnreserve: {
        const ModelId model = number % models_.size();
        queue_.Unreserve(model, models_[model].reserved);
        models_[model].reserved = 0;
        return;
      }
      case Op::kNext:
        if (worker.busy || worker.has_next) return;
        queue_.NextBatch(Now(), worker.running, ended_);
        Unstaged(nullptr);
        Formed(worker.running, false);
        return Started(worker);
      case Op::kStage:
        if (!worker.busy || worker.has_next) return;
        queue_.Stage(Now(), worker.next, ended_);
        Formed(worker.next, true);
        worker.has_next = !worker.next.requests.empty();
        return;
      case Op::kStart:
        return Start(worker);
      case Op::kFinish:
        if (worker.busy) Finish(worker, number);
        return;
      case Op::kRemove:
        if (!requests_.empty())
          Remove(*requests_[requests_.size() - 1 - number % std::min<size_t>(requests_.size(), 40)]->get());
        return;
      case Op::kAdvance:
        clock_ += number % 50 == 0 ? milliseconds(100000) : Duration(microseconds(number % 8000));
        return;
      case Op::kBack:
        clock_ -= milliseconds(number % 1000);
        return;
      case Op::kFlood:
        return Flood(number);
      case Op::kAdd:
        if (models_.size() < world_.limits.size()) AddModel();
        return;
      case Op::kClose: {
        const ModelId model = number % models_.size();
        if (models_[model].erased) return;
        queue_.CloseModel(model);
        models_[model].closed = true;  // what is reserved is given back nevertheless
        return;
      }
      case Op::kErase:
        return Erase(number % models_.size());
    }
  }

  void Erase(ModelId model) {
    const auto is_of_model = [&](const Group& group) { return group.members[0]->model == model; };
    if (models_[model].erased || std::ranges::any_of(groups_, is_of_model)) return;
    queue_.EraseModel(model);
    models_[model].closed = models_[model].erased = true;
    tally_.erased += 1;
  }

  Request* LeaderOf(const Group& group) const {
    return *std::ranges::min_element(
        group.members, {}, [&](const Request* r) { return std::tuple(r->deadline, shadows_.at(r).sequence); });
  }

  auto OrderOf(const Group& group) const {
    const Request* leader = LeaderOf(group);
    return std::tuple(group.rank, leader->deadline, shadows_.at(leader).sequence);
  }

  bool Waits(const Group& group) const {
    return !group.members.empty() && shadows_.at(group.members[0]).state == Shadow::State::kWaiting;
  }

  // ---- what comes in

  /// What a model has in the queue.
  struct Held {
    size_t requests = 0, tokens = 0;
    size_t fixed_requests = 0, fixed_tokens = 0;  // of those, what makes no room
  };
  std::vector<Held> HeldNow() const {
    std::vector<Held> held(models_.size());
    for (const Group& group : groups_) {
      if (!Waits(group)) continue;
      Held& own = held[group.members[0]->model];
      const size_t n = group.members.size(), length = group.members[0]->ids.size();
      const bool fixed = group.staged || models_[group.members[0]->model].closed;
      own.requests += n;
      own.tokens += length;
      own.fixed_requests += fixed ? n : 0;
      own.fixed_tokens += fixed ? length : 0;
    }
    for (ModelId i = 0; i < held.size(); ++i) held[i].requests += models_[i].closed ? 0 : models_[i].reserved;
    return held;
  }
  double PartOf(ModelId model, const Held& held) const {
    return std::max(static_cast<double>(held.requests) / static_cast<double>(world_.options.max_requests),
                    static_cast<double>(held.tokens) / static_cast<double>(world_.options.max_tokens)) /
           world_.limits[model].weight;
  }

  /// A call that is about to be reserved or pushed: what it should get.
  struct Ask {
    ModelId model = 0;
    Priority priority = Priority::kNormal;
    std::vector<Held> held;  // with the call
    bool fits = false;
    bool within_share = false;
  };
  Ask AskFor(ModelId model, Priority priority, size_t n, size_t tokens) const {
    Ask ask{model, priority, HeldNow()};
    ask.held[model].requests += n;
    ask.held[model].tokens += tokens;
    Held all, fixed;
    double weights = 0;
    for (ModelId i = 0; i < models_.size(); ++i) {
      const Held& held = ask.held[i];
      all.requests += held.requests;
      all.tokens += held.tokens;
      if (i != model) fixed.requests += held.fixed_requests;
      if (i != model) fixed.tokens += held.fixed_tokens;
      if (!models_[i].closed && held.requests > 0) weights += world_.limits[i].weight;
    }
    const size_t max_requests = world_.options.max_requests, max_tokens = world_.options.max_tokens;
    ask.fits = all.requests <= max_requests && all.tokens <= max_tokens;
    const double rest = 1 - std::max(static_cast<double>(fixed.requests) / static_cast<double>(max_requests),
                                     static_cast<double>(fixed.tokens) / static_cast<double>(max_tokens));
    ask.within_share = PartOf(model, ask.held[model]) < rest / weights - 1e-9;
    return ask;
  }

  static bool IsFull(const absl::Status& status) {
    return absl::IsResourceExhausted(status) && absl::StrContains(status.message(), "is full");
  }

  /// Room was made for the call, or not.
  void CheckRoom(Ask ask, const absl::Status& status) {
    Check(status.ok() || ended_.empty(), "somebody made room for a call that was refused");
    const bool refused = IsFull(status);
    Check(!refused || !ask.within_share, "a model within its share is refused for being full");
    Check(!refused || !ask.fits, "refused though there was room");
    if (status.ok() && !ask.fits && ask.within_share) tally_.within_share += 1;
    for (const Ended& each : ended_) {
      const ModelId model = each.request->model;
      const Group& group = *shadows_.at(each.request).group;
      Check(each.why == Ending::kEvicted, "ended while nothing was chosen");
      Check(!ask.fits, "evicted though there was room");
      Check(!group.staged && !models_[model].closed, "evicted though it is staged, or its model closed");
      if (model == ask.model) {
        Check(group.rank > ask.priority, "evicted for its own model, but not for a higher priority");
      } else {
        Check(PartOf(model, ask.held[model]) > PartOf(ask.model, ask.held[ask.model]),
              "evicted for a model that has more");
        tally_.gave_room += 1;
      }
      for (const Group& other : groups_) {
        if (!Waits(other) || other.staged || other.members[0]->model != model) continue;
        Check(OrderOf(other) <= OrderOf(group), "evicted though another one is less urgent");
      }
      Check(group.members.size() == 1 || each.request != LeaderOf(group), "evicted before its twins");
      ask.held[model].requests -= 1;
      ask.held[model].tokens -= group.members.size() == 1 ? each.request->ids.size() : 0;
      tally_.endings[each.why] += 1;
      LeaveGroup(*each.request);
    }
    ended_.clear();
    if (!status.ok()) tally_.refused += 1;
  }

  bool Reserve(ModelId model, size_t n, Priority priority) {
    const Ask ask = AskFor(model, priority, n, 1);
    const absl::Status status = queue_.Reserve(model, n, priority, ended_);
    const bool never_fits = n > world_.options.max_requests;
    Check(status.ok() || absl::IsResourceExhausted(status) || never_fits || models_[model].closed, status.ToString());
    Check(!status.ok() || !models_[model].closed, "reserved for a closed model");
    CheckRoom(ask, status);
    return status.ok();
  }

  Request* NewRequest(int32_t text, size_t length, ModelId model, Priority priority) {
    requests_.push_back(std::make_unique<TestRequest>(text, length, nullptr, model));
    Request& request = requests_.back()->request;
    request.priority = priority;
    index_[&request] = requests_.size() - 1;
    shadows_[&request];
    return &request;
  }

  void Push(uint32_t number) {
    const TimePoint about = std::max(now_, clock_);
    std::minstd_rand random(number + 1);
    const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
    const size_t n = pick(0, 2) ? 1 : pick(1, 4);
    const ModelId model = pick(0, models_.size() - 1);
    const auto priority = static_cast<Priority>(pick(0, kPriorities - 1));
    std::vector<Request*> call;
    for (size_t i = 0; i < n; ++i) {
      const auto text = static_cast<int32_t>(pick(1, world_.texts));
      const size_t length = world_.texts < 10 ? static_cast<size_t>(text) * 5 : pick(1, pick(0, 4) ? 15 : 70);
      call.push_back(NewRequest(text, length, model, priority));
      if (pick(0, 3)) call.back()->deadline = about + milliseconds(pick(0, 60));
    }
    PushCall(call);
  }

  /// Calls without deadlines for one model until one is refused.
  void Flood(uint32_t number) {
    const ModelId model = number % models_.size();
    const auto priority = static_cast<Priority>(number / 16 % kPriorities);
    for (int i = 0; i < 40; ++i) {
      const auto text = static_cast<int32_t>(1 + static_cast<size_t>(i) % world_.texts);
      if (!PushCall({NewRequest(text, 1 + number / 64 % 20, model, priority)})) return;
    }
  }

  bool PushCall(const std::vector<Request*>& call) {
    const ModelId model = call[0]->model;
    const Priority priority = call[0]->priority;
    // With places that were reserved long ago, or just now.
    const bool held = call.size() <= models_[model].reserved;
    if (held) {
      models_[model].reserved -= call.size();
    } else if (!Reserve(model, call.size(), priority)) {
      return false;
    }
    size_t tokens = 0;
    for (const Request* request : call) tokens += request->ids.size();
    const TimePoint given = Now();
    const Ask ask = AskFor(model, priority, call.size(), tokens);
    const bool expired = std::ranges::any_of(call, [&](const Request* r) { return r->deadline <= now_; });
    const bool idle = queue_.empty();
    const bool closed = models_[model].closed;
    const bool judged = world_.options.admission && !closed && queue_.costs(model).known();
    const absl::Status status = queue_.Push(call, given, ended_);
    CheckRoom(ask, status);
    Check(status.ok() || !ask.fits || expired || judged || closed,
          absl::StrCat("refused without a reason: ", status.ToString()));
    Check(!status.ok() || (!expired && !closed), "accepted though expired or closed");
    if (held && IsFull(status)) tally_.lost_places += 1;
    if (!status.ok()) return false;
    for (Request* request : call) {
      Accept(*request);
      shadows_.at(request).tries = idle;
    }
    return true;
  }

  void Accept(Request& request) {
    tally_.accepted += 1;
    Check(request.accepted == now_, "accepted at another time");
    Check(request.deadline != TimePoint::max(), "no deadline");
    Shadow& shadow = shadows_.at(&request);
    shadow.sequence = next_sequence_++;
    const auto key = std::tuple(request.model, request.priority, request.ids[0], request.ids.size());
    Group*& open = open_[key];
    if (open && world_.options.share_identical) {
      tally_.twins += 1;
      const bool runs = shadows_.at(open->members[0]).state == Shadow::State::kRunning;
      shadow.state = runs ? Shadow::State::kRunning : Shadow::State::kWaiting;
      const Request* leader = runs ? nullptr : LeaderOf(*open);
      open->members.push_back(&request);
      if (!runs && LeaderOf(*open) != leader) open->staged = false;
    } else {
      groups_.push_back({key, {&request}, request.priority, 0, false});
      open = &groups_.back();
      shadow.state = Shadow::State::kWaiting;
    }
    shadow.group = open;
  }

  // ---- what goes out

  void LeaveGroup(Request& request) {
    Shadow& shadow = shadows_.at(&request);
    Group& group = *shadow.group;
    if (shadow.state == Shadow::State::kWaiting && LeaderOf(group) == &request) group.staged = false;
    std::erase(group.members, &request);
    shadow.group = nullptr;
    shadow.state = Shadow::State::kEnded;
    if (group.members.empty()) Close(group);
  }
  /// The group is no more.
  void Close(Group& group) {
    const auto it = open_.find(group.key);
    if (it != open_.end() && it->second == &group) open_.erase(it);
    groups_.remove_if([&](const Group& each) { return &each == &group; });
  }

  /// Checks and takes note of what the queue ended by itself.
  void Leave(Ending expected) {
    for (const Ended& each : ended_) {
      Request& request = *each.request;
      Shadow& shadow = shadows_.at(&request);
      if (shadow.state != Shadow::State::kWaiting) {
        return Fail(absl::StrCat(Name(&request), " ended, for ", static_cast<int>(each.why), ", but did not wait"));
      }
      tally_.endings[each.why] += 1;
      const Duration left = request.deadline - now_;
      const Duration alone = queue_.costs(request.model).Estimate(request.ids.size(), request.ids.size());
      switch (each.why) {
        case Ending::kExpired:
          Check(left <= Duration::zero(), absl::StrCat(Name(&request), " ended as expired and was not"));
          break;
        case Ending::kTooLate:
          Check(world_.options.admission && left < alone, absl::StrCat(Name(&request), " was not too late"));
          break;
        case Ending::kShed:
          Check(world_.options.overload_target > Duration::zero() &&
                    now_ - request.accepted > world_.options.overload_target,
                absl::StrCat(Name(&request), " was shed though it is not old"));
          Check(request.deadline == request.accepted + world_.options.default_deadline,
                absl::StrCat(Name(&request), " was shed though it has a deadline of its own"));
          break;
        default:
          Check(each.why == expected, "ended for a reason that nobody gave");
      }
      LeaveGroup(request);
    }
    ended_.clear();
  }

  void Remove(Request& request) {
    const Shadow& shadow = shadows_.at(&request);
    const Shadow::State state = shadow.state;
    // A twin of one that runs is only waiting for the answer: it may go.
    const bool leads = state == Shadow::State::kRunning && running_leaders_.count(&request);
    const bool expected = state == Shadow::State::kWaiting || (state == Shadow::State::kRunning && !leads);
    Check(queue_.Remove(request) == expected, absl::StrCat("Remove of ", Name(&request), " should be ", expected));
    if (!expected) return;
    tally_.cancelled += 1;
    LeaveGroup(request);
  }

  /// All staged batches but `kept` were taken back.
  void Unstaged(const Batch* kept) {
    for (Group& group : groups_) {
      if (!kept) group.staged = false;
    }
  }

  /// A batch was chosen just now.
  void Formed(const Batch& batch, bool staged) {
    Leave(Ending::kExpired);
    for (Group& group : groups_) {
      if (!Waits(group) || group.staged) continue;
      const Request* leader = LeaderOf(group);
      for (auto rank = static_cast<size_t>(group.rank); rank > 0; --rank) {
        const auto steps = static_cast<int64_t>(static_cast<size_t>(leader->priority) - rank + 1);
        if ((now_ - leader->accepted) / steps <= world_.options.max_priority_delay) break;
        group.rank = static_cast<Priority>(rank - 1);
      }
    }
    if (batch.requests.empty()) return;
    CheckMembers(batch);
    if (failure_.empty()) CheckOrder(batch);
    for (const Request* request : batch.requests) shadows_.at(request).group->staged = staged;
  }

  void CheckMembers(const Batch& batch) {
    const ModelLimits& limits = world_.limits[batch.model];
    size_t tokens = 0, longest = 0;
    for (Request* request : batch.requests) {
      const Shadow& shadow = shadows_.at(request);
      if (shadow.state != Shadow::State::kWaiting) return Fail(absl::StrCat(Name(request), " runs and did not wait"));
      if (shadow.group->staged) return Fail(absl::StrCat(Name(request), " is staged elsewhere"));
      if (LeaderOf(*shadow.group) != request) return Fail(absl::StrCat(Name(request), " is not the most urgent twin"));
      if (std::ranges::count(batch.requests, request) > 1) return Fail(absl::StrCat(Name(request), " is there twice"));
      Check(request->model == batch.model, "a batch of two models");
      CheckInTime(*request);
      std::set<const Request*> together;
      for (const Request* each = request; each; each = each->twin()) together.insert(each);
      const auto& members = shadow.group->members;
      Check(together == std::set<const Request*>(members.begin(), members.end()), "not its twins");
      tokens += request->ids.size();
      longest = std::max(longest, request->ids.size());
    }
    const size_t n = batch.requests.size(), computed = limits.pads ? n * longest : tokens;
    Check(n <= limits.max_batch_requests, "too many requests in a batch");
    Check(n == 1 || computed <= limits.max_batch_tokens, "over the token budget");
    Check(batch.stats.size == n && batch.stats.tokens == tokens && batch.stats.padded_tokens == computed,
          "wrong stats");
    Check(batch.longest == longest, "wrong longest");
  }

  void CheckInTime(const Request& request) {
    const Duration alone = queue_.costs(request.model).Estimate(request.ids.size(), request.ids.size());
    const bool in_time =
        static_cast<double>((request.deadline - now_).count()) >= 0.9 * static_cast<double>(alone.count());
    Check(!world_.options.admission || shadows_.at(&request).tries || in_time,
          absl::StrCat(Name(&request), " cannot end in time and starts"));
    for (const Request* each = &request; each; each = each->twin()) {
      Check(each->deadline > now_, absl::StrCat(Name(each), " is expired and starts"));
    }
  }

  /// Earliest deadline first within a class, but for what may be passed over.
  void CheckOrder(const Batch& batch) {
    const ModelLimits& limits = world_.limits[batch.model];
    std::vector<Group*> waiting;
    for (Group& group : groups_) {
      if (Waits(group) && !group.staged && group.members[0]->model == batch.model) waiting.push_back(&group);
    }
    std::ranges::sort(waiting, {}, [&](const Group* group) { return OrderOf(*group); });
    const CostTable& costs = queue_.costs(batch.model);
    size_t next = 0, tokens = 0, longest = 0;
    for (Group* group : waiting) {
      if (next == batch.requests.size()) return;
      const Request* leader = LeaderOf(*group);
      const size_t length = leader->ids.size();
      if (leader == batch.requests[next]) {
        ++next;
        tokens += length;
        longest = std::max(longest, length);
        continue;
      }
      Check(next > 0, absl::StrCat("the most urgent is ", Name(leader), ", not ", Name(batch.requests[0])));
      Check(group->skips < world_.options.max_skips, absl::StrCat(Name(leader), " was passed over too often"));
      const size_t with = limits.pads ? (next + 1) * std::max(longest, length) : tokens + length;
      const bool slack = limits.pads && now_ + batch.cost <= leader->deadline - costs.Estimate(length, length);
      Check(with > limits.max_batch_tokens || slack, absl::StrCat(Name(leader), " was passed over without a reason"));
      group->skips += 1;
      tally_.passed_over += 1;
    }
    Check(next == batch.requests.size(), "the members are not in order");
  }

  void Started(Worker& worker) {
    if (worker.running.requests.empty()) return;
    worker.busy = true;
    for (Request* request : worker.running.requests) {
      CheckInTime(*request);
      Group& group = *shadows_.at(request).group;
      group.staged = false;
      running_leaders_.insert(request);
      for (Request* each : group.members) shadows_.at(each).state = Shadow::State::kRunning;
    }
  }

  void Start(Worker& worker) {
    if (worker.busy || !worker.has_next) return;
    const std::vector<Request*> before = worker.next.requests;
    const bool kept = queue_.Start(Now(), worker.next, ended_);
    worker.has_next = false;
    worker.running = worker.next;
    if (kept) {
      tally_.kept += 1;
      Check(ended_.empty(), "something ended though nothing was chosen");
      Check(worker.running.requests == before, "another batch than was staged");
      CheckNobodyMoreUrgent(worker.running);
    } else {
      tally_.formed_again += 1;
      for (const Request* request : before) {
        if (Group* group = shadows_.at(request).group) group->staged = false;
      }
      Formed(worker.running, false);
    }
    Started(worker);
  }

  void CheckNobodyMoreUrgent(const Batch& batch) {
    const auto last = OrderOf(*shadows_.at(batch.requests.back()).group);
    for (const Group& group : groups_) {
      if (!Waits(group) || group.staged || group.members[0]->model != batch.model) continue;
      Check(batch.full, "newcomers could have joined");
      Check(OrderOf(group) > last, absl::StrCat(Name(LeaderOf(group)), " is more urgent than what starts"));
    }
  }

  void Finish(Worker& worker, uint32_t number) {
    queue_.Finished(Now(), worker.running, number % 3 > 0);
    worker.busy = false;
    for (Request* request : worker.running.requests) {
      Group& group = *shadows_.at(request).group;
      running_leaders_.erase(request);
      std::set<const Request*> answered;
      for (const Request* each = request; each; each = each->twin()) answered.insert(each);
      Check(answered == std::set<const Request*>(group.members.begin(), group.members.end()), "not answered together");
      for (Request* each : group.members) {
        tally_.answered += 1;
        shadows_.at(each).state = Shadow::State::kEnded;
        shadows_.at(each).group = nullptr;
      }
      Close(group);
    }
    worker.running.Clear();
  }

  // ---- the books

  void CheckCounts() {
    size_t requests = 0, tokens = 0, unstaged = 0;
    std::vector<size_t> of_model(models_.size());
    for (const Group& group : groups_) {
      if (!Waits(group)) continue;
      requests += group.members.size();
      tokens += group.members[0]->ids.size();
      unstaged += !group.staged;
      of_model[group.members[0]->model] += 1;
    }
    Check(queue_.size() == requests, absl::StrCat("size is ", queue_.size(), ", should be ", requests));
    Check(queue_.tokens() == tokens, absl::StrCat("tokens are ", queue_.tokens(), ", should be ", tokens));
    Check(queue_.unstaged() == unstaged, absl::StrCat("unstaged are ", queue_.unstaged(), ", should be ", unstaged));
    Check(queue_.empty() == (requests == 0), "wrongly empty");
    for (ModelId i = 0; i < of_model.size(); ++i) Check(queue_.Waits(i) == (of_model[i] > 0), "Waits is wrong");
    Check(requests <= world_.options.max_requests, "over max_requests");
    Check(tokens <= world_.options.max_tokens, "over max_tokens");
  }

  /// Everything ends, served or stopped.
  void End(bool serve) {
    for (int turn = 0; serve && turn < 10000 && !(queue_.empty() && running_leaders_.empty()); ++turn) {
      Do({Op::kFinish, static_cast<uint32_t>(turn)});
      Do({Op::kStart, static_cast<uint32_t>(turn)});
      Do({Op::kNext, static_cast<uint32_t>(turn)});
      Do({Op::kAdvance, 1001});
      CheckCounts();
      if (!failure_.empty()) return;
    }
    Check(!serve || queue_.empty(), "something waits for ever");
    queue_.Clear(Ending::kStopped, ended_);
    Leave(Ending::kStopped);
    Unstaged(nullptr);
    CheckCounts();
    Check(queue_.empty(), "Clear left something");
    for (Worker& worker : workers_) {
      if (worker.has_next) Check(!queue_.Start(Now(), worker.next, ended_) && worker.next.requests.empty(), "starts");
      if (worker.busy) Finish(worker, 0);
    }
    Check(ended_.empty(), "something ended after Clear");
    CheckCounts();
    for (const auto& [request, shadow] : shadows_) {
      Check(shadow.state == Shadow::State::kRefused || shadow.state == Shadow::State::kEnded,
            absl::StrCat(Name(request), " never ended"));
      Check(!queue_.Remove(*const_cast<Request*>(request)), absl::StrCat(Name(request), " can still be removed"));
    }
  }

  const World& world_;
  Tally& tally_;
  BatchQueue queue_;
  std::deque<Worker> workers_;  // batches stay where they are
  std::vector<Model> models_;
  TimePoint clock_ = kStart;  // may jump back
  TimePoint now_ = kStart;    // as the queue sees it
  uint64_t next_sequence_ = 0;
  std::vector<std::unique_ptr<TestRequest>> requests_;
  std::map<const Request*, size_t> index_;
  std::map<const Request*, Shadow> shadows_;
  std::list<Group> groups_;
  std::map<std::tuple<ModelId, Priority, int32_t, size_t>, Group*> open_;
  std::set<const Request*> running_leaders_;
  std::vector<Ended> ended_;
  std::string failure_;
};

std::string Execute(const World& world, const Schedule& schedule, Tally& tally) {
  return Run(world, tally).Execute(schedule);
}

/// Leaves out what can be left out, larger pieces first, while it still fails.
Schedule Shrink(const World& world, Schedule schedule) {
  Tally tally;
  for (size_t piece = schedule.size() / 2; piece > 0; piece = piece > 1 ? piece / 2 : 0) {
    for (bool shorter = true; shorter;) {
      shorter = false;
      for (size_t at = 0; at + piece <= schedule.size();) {
        Schedule without = schedule;
        without.erase(without.begin() + static_cast<ptrdiff_t>(at),
                      without.begin() + static_cast<ptrdiff_t>(at + piece));
        if (Execute(world, without, tally).empty()) {
          at += piece;
        } else {
          schedule = std::move(without);
          shorter = true;
        }
      }
    }
  }
  return schedule;
}

std::string Text(const Schedule& schedule) {
  std::string text;
  for (const auto& [op, number] : schedule) absl::StrAppend(&text, " ", kNames[static_cast<size_t>(op)], " ", number);
  return text;
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

TEST_CASE("OverRandomSchedulesThePromisesHold") {
  Tally tally;
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    const World world(seed);
    const Schedule schedule = RandomSchedule(seed);
    const std::string failure = Execute(world, schedule, tally);
    if (failure.empty()) continue;
    const Schedule shortest = Shrink(world, schedule);
    FAIL("seed " << seed << ": " << failure << "; in short, " << Execute(world, shortest, tally) << ":"
                 << Text(shortest));
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
