// What a queue has, in the plainest way there is: the books that a random schedule keeps beside the real queue.
#ifndef BERTHA_TESTS_BATCHER_SHADOW_QUEUE_H_
#define BERTHA_TESTS_BATCHER_SHADOW_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "batcher/clock.h"
#include "batcher/request.h"
#include "tests/batcher/fakes.h"
#include "tests/batcher/queue_fixture.h"
#include "tests/batcher/queue_schedule.h"

namespace bertha::batcher {

/// A request, seen from outside.
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

/// What a model has in the queue.
struct Held {
  size_t requests = 0, tokens = 0;
  size_t fixed_requests = 0, fixed_tokens = 0;  // of those, what makes no room
};

/// A call that is about to be reserved or pushed: what it should get.
struct Ask {
  ModelId model = 0;
  Priority priority = Priority::kNormal;
  std::vector<Held> held;  // with the call
  bool fits = false;
  bool within_share = false;
};

struct ShadowQueue {
  struct Model {
    bool closed = false, erased = false;
    size_t reserved = 0;
  };

  explicit ShadowQueue(const World& of) : world(of) {}

  Request* NewRequest(int32_t text, size_t length, ModelId model, Priority priority);
  std::string Name(const Request* request) const;
  Shadow& Of(const Request* request) { return shadows.at(request); }
  const Shadow& Of(const Request* request) const { return shadows.at(request); }

  Request* LeaderOf(const Group& group) const;
  /// In which groups of a model go.
  std::tuple<Priority, TimePoint, uint64_t> OrderOf(const Group& group) const;
  bool Waits(const Group& group) const;
  bool HasGroupOf(ModelId model) const;
  /// What waits and is not staged, in its order.
  std::vector<Group*> WaitingOf(ModelId model);

  /// The part of the queue for its weight.
  double PartOf(ModelId model, const Held& held) const;
  Ask AskFor(ModelId model, Priority priority, size_t n, size_t tokens) const;

  /// True if it is a twin.
  bool Accept(Request& request);
  void Leave(Request& request);
  /// What has waited for long moves up.
  void Promote();
  void Start(Request& leader);
  /// All of its group are answered. How many.
  size_t Finish(Request& leader);

  const World& world;
  TimePoint now = kStart;  // as the queue sees it
  std::vector<Model> models;
  std::vector<std::unique_ptr<TestRequest>> requests;
  std::map<const Request*, Shadow> shadows;
  std::list<Group> groups;
  std::set<const Request*> running_leaders;

 private:
  std::vector<Held> HeldNow() const;
  void Close(Group& group);

  std::map<const Request*, size_t> index_;
  std::map<std::tuple<ModelId, Priority, int32_t, size_t>, Group*> open_;
  uint64_t next_sequence_ = 0;
};

}  // namespace bertha::batcher

#endif  // BERTHA_TESTS_BATCHER_SHADOW_QUEUE_H_
