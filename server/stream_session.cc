#include "server/stream_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/retry.h"

namespace bertha::server {

StreamSession::StreamSession(const Inference& inference, StreamTransport& transport, batcher::TimePoint deadline,
                             size_t max_in_flight)
    : inference_(inference), transport_(transport), deadline_(deadline), max_in_flight_(max_in_flight) {}

/// The next steps that the state allows; marks them as begun.
StreamSession::Next StreamSession::Decide() {
  Next next;
  if (finished_) return next;
  if (cancelled_) outbox_.erase(outbox_.begin() + (writing_ ? 1 : 0), outbox_.end());
  const bool no_more_reads = reads_done_ || draining_ || cancelled_;
  if (!writing_ && !outbox_.empty()) {
    next.write = &outbox_.front()->reply;
    writing_ = true;
  }
  if (!reading_ && !no_more_reads && in_flight_.size() + outbox_.size() < max_in_flight_) {
    next.read = true;
    reading_ = true;
    starting_reads_ += 1;
  }
  if (no_more_reads && in_flight_.empty() && outbox_.empty() && starting_reads_ == 0) {
    finished_ = true;
    next.finish = true;
    if (cancelled_) {
      next.finish_status = absl::CancelledError("the stream was cancelled");
    } else if (!reads_done_) {
      next.finish_status = absl::UnavailableError("the server is shutting down; try another one");
    }
  }
  return next;
}

void StreamSession::Do(Next next) {
  while (true) {
    if (next.write) transport_.StartWrite(*next.write);
    if (next.finish) transport_.Finish(next.finish_status);
    if (!next.read) return;
    transport_.StartRead();
    MutexLock lock(mutex_);
    starting_reads_ -= 1;
    next = Decide();  // another thread may have left the end to us
  }
}

void StreamSession::Start() {
  Next next;
  {
    MutexLock lock(mutex_);
    next = Decide();
  }
  Do(next);
}

batcher::TimePoint StreamSession::DeadlineOf(const v1::StreamClassifyRequest& request) const {
  if (request.timeout_ms() == 0) return deadline_;
  return std::min(deadline_, inference_.clock().Now() + std::chrono::milliseconds(request.timeout_ms()));
}

void StreamSession::OnRequest(v1::StreamClassifyRequest request) {
  auto item = std::make_shared<InFlight>();
  item->request = std::move(request);
  item->reply.set_id(item->request.id());
  uint64_t serial;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (finished_) return;
    serial = next_serial_++;
    in_flight_[serial] = item;
  }
  auto call = inference_.Start(
      item->request.request(), item->response, DeadlineOf(item->request),
      [self = shared_from_this(), serial](const absl::Status& status) { self->OnReply(serial, status); });
  Next next;
  bool cancel;
  {
    MutexLock lock(mutex_);
    if (in_flight_.contains(serial)) item->call = call;
    cancel = cancelled_;
    next = Decide();
  }
  if (cancel) call->Cancel();
  Do(next);
}

void StreamSession::OnRefused(uint64_t id, const absl::Status& status) {
  auto item = std::make_shared<InFlight>();
  item->reply.set_id(id);
  *item->reply.mutable_error() = ToWire(status, inference_);
  transport_.OnEnd(status);
  Next next;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (!finished_) outbox_.push_back(std::move(item));
    next = Decide();
  }
  Do(next);
}

void StreamSession::OnReply(uint64_t serial, const absl::Status& status) {
  transport_.OnEnd(status);
  Next next;
  {
    MutexLock lock(mutex_);
    auto it = in_flight_.find(serial);
    std::shared_ptr<InFlight> item = std::move(it->second);
    in_flight_.erase(it);
    if (status.ok()) {
      item->reply.mutable_response()->Swap(&item->response);
    } else {
      *item->reply.mutable_error() = ToWire(status, inference_);
    }
    // A client that does not read its replies must not pin its requests too: the call has no more use for them.
    item->request = v1::StreamClassifyRequest();
    item->call.reset();
    outbox_.push_back(std::move(item));
    next = Decide();
  }
  Do(next);
}

void StreamSession::OnReadsDone() {
  Next next;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    reads_done_ = true;
    next = Decide();
  }
  Do(next);
}

void StreamSession::OnWriteDone() {
  Next next;
  std::shared_ptr<InFlight> written;  // freed after the lock
  {
    MutexLock lock(mutex_);
    writing_ = false;
    written = std::move(outbox_.front());
    outbox_.pop_front();
    next = Decide();
  }
  Do(next);
}

void StreamSession::OnCancel() {
  std::vector<std::shared_ptr<Operation>> calls;
  Next next;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    for (const auto& [serial, item] : in_flight_) {
      if (item->call) calls.push_back(item->call);
    }
    next = Decide();
  }
  for (const auto& call : calls) call->Cancel();
  Do(next);
}

void StreamSession::Drain() {
  Next next;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    next = Decide();
  }
  Do(next);
}

}  // namespace bertha::server
