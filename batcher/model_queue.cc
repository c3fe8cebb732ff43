#include "batcher/model_queue.h"

#include <utility>

namespace bertha::batcher {

bool MoreUrgent::operator()(const Request* a, const Request* b) const {
  if (a->deadline != b->deadline) return a->deadline < b->deadline;
  return a->sequence_ < b->sequence_;
}

void ModelQueue::Enter(Request& request, TimePoint now) {
  request.rank_ = request.priority;
  request.skipped_ = 0;
  request.job_ = Demand::JobOf(request.job_.work, request.deadline, now);
  classes_[IndexOf(request.rank_)].demand.Add(request.job_);
  PutBack(request);
}

void ModelQueue::Take(Request& request) {
  Class& own = classes_[IndexOf(request.rank_)];
  own.by_deadline.erase(&request);
  own.by_arrival[IndexOf(request.priority)].Erase(request);
  size_ -= 1;
}

void ModelQueue::PutBack(Request& request) {
  Class& own = classes_[IndexOf(request.rank_)];
  own.by_deadline.insert(&request);
  own.by_arrival[IndexOf(request.priority)].Insert(request);
  request.place_ = Request::Place::kWaiting;
  size_ += 1;
}

void ModelQueue::Leave(const Request& request) { classes_[IndexOf(request.rank_)].demand.Remove(request.job_); }

void ModelQueue::Move(Request& request, Priority rank) {
  Take(request);
  Leave(request);
  request.rank_ = rank;
  classes_[IndexOf(rank)].demand.Add(request.job_);
  PutBack(request);
}

void ModelQueue::Promote(TimePoint now, Duration delay) {
  for (size_t rank = kPriorities; --rank > 0;) {
    for (size_t priority = rank; priority < kPriorities; ++priority) {
      const auto steps = static_cast<int64_t>(priority - rank + 1);
      const ArrivalList& arrivals = classes_[rank].by_arrival[priority];
      while (arrivals.oldest() && (now - arrivals.oldest()->accepted) / steps > delay) {
        Move(*arrivals.oldest(), static_cast<Priority>(rank - 1));
      }
    }
  }
}

Request* LeastUrgentFirst::Next() {
  while (!leader_) {
    if (rank_ < kPriorities && at_ != queue_->classes()[rank_].by_deadline.rend()) {
      leader_ = *at_++;
      twin_ = leader_->twin();
    } else if (rank_ == highest_) {
      return nullptr;
    } else {
      at_ = queue_->classes()[--rank_].by_deadline.rbegin();
    }
  }
  if (!twin_) return std::exchange(leader_, nullptr);
  return std::exchange(twin_, twin_->twin());
}

}  // namespace bertha::batcher
