// Who makes room in a full queue? Always the model that holds most for its weight, where the larger of its parts of the
// requests and of the tokens counts: longest queue drop (Suter, Lakshman, Stiliadis, Choudhury, "Design Considerations
// for Supporting TCP with Per-flow Queueing", INFOCOM 1998) by dominant share (Ghodsi and others, "Dominant Resource
// Fairness", NSDI 2011). While something is missing, the others together hold more than their shares, so that a model
// within its own is never the one that holds most.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_EVICTION_H_
#define BERTHA_BATCHER_EVICTION_H_

#include <cstddef>
#include <span>
#include <vector>

#include "batcher/model_queue.h"
#include "batcher/request.h"

namespace bertha::batcher {

class Eviction {
 public:
  Eviction(size_t max_requests, size_t max_tokens) : max_requests_(max_requests), max_tokens_(max_tokens) {}

  /// What a model holds, the newcomers included.
  struct Holder {
    double weight = 1;
    size_t requests = 0, tokens = 0;
    /// Of the requests: places that are held for some that do not wait yet, and that others may get.
    size_t reserved = 0;
    /// Whether it is the newcomers' model.
    bool own = false;
    /// What it gives.
    LeastUrgentFirst waiting;
  };

  /// Begins anew, with no holders.
  void Clear() { holders_.clear(); }
  void Add(const Holder& holder) { holders_.push_back(holder); }

  /// Chooses who must go of `requests` and `tokens`, all that there would be; valid until the next call. False if there
  /// are not enough.
  bool Choose(size_t requests, size_t tokens);
  std::span<Request* const> victims() const { return victims_; }

 private:
  double PartHeld(const Holder& holder) const;

  const size_t max_requests_, max_tokens_;
  std::vector<Holder> holders_;
  std::vector<Request*> victims_;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_EVICTION_H_
