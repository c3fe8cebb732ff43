// Waiting requests in the order in which they came: an intrusive list, so that whoever leaves does so in constant time.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_ARRIVAL_LIST_H_
#define BERTHA_BATCHER_ARRIVAL_LIST_H_

#include "batcher/request.h"

namespace bertha::batcher {

class ArrivalList {
 public:
  /// Null if there is none.
  Request* oldest() const { return oldest_; }
  Request* newest() const { return newest_; }

  /// Puts a request in its place. Those that came last, or before all others, are placed at once.
  void Insert(Request& request) {
    Request* older = newest_;
    if (oldest_ && request.sequence_ < oldest_->sequence_) older = nullptr;
    while (older && older->sequence_ > request.sequence_) older = older->older_;
    request.older_ = older;
    request.newer_ = older ? older->newer_ : oldest_;
    (older ? older->newer_ : oldest_) = &request;
    (request.newer_ ? request.newer_->older_ : newest_) = &request;
  }

  /// The one that came next after `request`, which is here; null if there is none.
  static Request* After(const Request& request) { return request.newer_; }

  void Erase(Request& request) {
    (request.older_ ? request.older_->newer_ : oldest_) = request.newer_;
    (request.newer_ ? request.newer_->older_ : newest_) = request.older_;
    request.older_ = request.newer_ = nullptr;
  }

 private:
  Request* oldest_ = nullptr;
  Request* newest_ = nullptr;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_ARRIVAL_LIST_H_
