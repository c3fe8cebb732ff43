// The requests of one model that wait to be chosen, by the class in which they compete: in the order of their deadlines
// and of their arrival, with the work that they stand for.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_MODEL_QUEUE_H_
#define BERTHA_BATCHER_MODEL_QUEUE_H_

#include <array>
#include <cstddef>

#include "absl/container/btree_set.h"
#include "batcher/arrival_list.h"
#include "batcher/clock.h"
#include "batcher/demand.h"
#include "batcher/request.h"

namespace bertha::batcher {

/// By deadline, then by arrival.
struct MoreUrgent {
  bool operator()(const Request* a, const Request* b) const;
};

class ModelQueue {
 public:
  struct Class {
    absl::btree_set<Request*, MoreUrgent> by_deadline;
    std::array<ArrivalList, kPriorities> by_arrival = {};  // by their own priority
    Demand demand;                                         // also of what was taken
  };

  /// The request comes: it competes in the class of its priority.
  void Enter(Request& request, TimePoint now);
  /// Takes it out of the order; its work still counts.
  void Take(Request& request);
  /// Puts it back where it was.
  void PutBack(Request& request);
  /// The work of a request that was taken counts no more.
  void Leave(const Request& request);

  /// Lets a request compete in another class.
  void Move(Request& request, Priority rank);
  /// What has waited for `delay` competes one class higher than its priority, after twice as long two higher.
  void Promote(TimePoint now, Duration delay);

  /// The highest first.
  const std::array<Class, kPriorities>& classes() const { return classes_; }
  const Class& of(Priority rank) const { return classes_[IndexOf(rank)]; }
  /// Requests in the order.
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  std::array<Class, kPriorities> classes_ = {};
  size_t size_ = 0;
};

/// Goes through what waits from the end: the lowest class and the least urgent first, twins before their leader.
class LeastUrgentFirst {
 public:
  /// Of the class with index `highest` and those below. The queue is not changed meanwhile.
  LeastUrgentFirst(const ModelQueue& queue, size_t highest) : queue_(&queue), highest_(highest) {}

  /// Null if there are no more.
  Request* Next();

 private:
  const ModelQueue* queue_;
  size_t highest_;
  size_t rank_ = kPriorities;
  absl::btree_set<Request*, MoreUrgent>::const_reverse_iterator at_;
  Request* leader_ = nullptr;
  Request* twin_ = nullptr;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_MODEL_QUEUE_H_
