#include "server/stream_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/retry.h"

namespace bertha::server {
namespace {

using batcher::TimePoint;

// What differs between the protocols.

TimePoint DeadlineOf(const v1::StreamClassifyRequest& request, TimePoint deadline, const batcher::Clock& clock) {
  if (request.timeout_ms() == 0) return deadline;
  return std::min(deadline, clock.Now() + std::chrono::milliseconds(request.timeout_ms()));
}
/// Its call looks at its timeout.
TimePoint DeadlineOf(const inference::ModelInferRequest&, TimePoint deadline, const batcher::Clock&) {
  return deadline;
}

const v1::ClassifyRequest& RequestOfCall(const v1::StreamClassifyRequest& request) { return request.request(); }
const inference::ModelInferRequest& RequestOfCall(const inference::ModelInferRequest& request) { return request; }

void SetId(uint64_t id, v1::StreamClassifyResponse& reply) { reply.set_id(id); }
void SetId(const std::string& id, inference::ModelStreamInferResponse& reply) {
  reply.mutable_infer_response()->set_id(id);
}

void SetResponse(v1::ClassifyResponse& response, v1::StreamClassifyResponse& reply) {
  reply.mutable_response()->Swap(&response);
}
void SetResponse(inference::ModelInferResponse& response, inference::ModelStreamInferResponse& reply) {
  reply.mutable_infer_response()->Swap(&response);
}

void SetError(const absl::Status& status, const Inference& inference, v1::StreamClassifyResponse& reply) {
  *reply.mutable_error() = ToWire(status, inference);
}
/// There is no field for the code: "INVALID_ARGUMENT: text[0]: ...".
void SetError(const absl::Status& status, const Inference&, inference::ModelStreamInferResponse& reply) {
  reply.set_error_message(absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()));
}

}  // namespace

template <class Protocol>
StreamSessionOf<Protocol>::StreamSessionOf(const Inference& inference, Transport& transport, TimePoint deadline,
                                           size_t max_in_flight)
    : inference_(inference), transport_(transport), deadline_(deadline), max_in_flight_(max_in_flight) {}

/// The next steps that the state allows; marks them as begun.
template <class Protocol>
typename StreamSessionOf<Protocol>::Next StreamSessionOf<Protocol>::Decide() {
  Next next;
  if (finished_) return next;
  if (cancelled_) outbox_.erase(outbox_.begin() + (writing_ ? 1 : 0), outbox_.end());
  const bool no_more_reads = reads_done_ || draining_ || cancelled_;
  if (!writing_ && !outbox_.empty()) {
    next.write = &outbox_.front()->reply;
    writing_ = true;
  }
  if (!reading_ && !no_more_reads && in_flight_.size() + early_.size() + outbox_.size() < max_in_flight_) {
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

template <class Protocol>
void StreamSessionOf<Protocol>::Do(Next next) {
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

template <class Protocol>
void StreamSessionOf<Protocol>::Start() {
  Next next;
  {
    MutexLock lock(mutex_);
    next = Decide();
  }
  Do(next);
}

template <class Protocol>
void StreamSessionOf<Protocol>::OnRequest(Request request) {
  auto item = std::make_shared<InFlight>();
  item->request = std::move(request);
  SetId(item->request.id(), item->reply);
  uint64_t serial;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (finished_) return;
    serial = next_serial_++;
    in_flight_[serial] = item;
  }
  auto call = inference_.Start(
      RequestOfCall(item->request), item->response, DeadlineOf(item->request, deadline_, inference_.clock()),
      [self = this->shared_from_this(), serial](const absl::Status& status) { self->OnReply(serial, status); });
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

template <class Protocol>
void StreamSessionOf<Protocol>::OnRefused(const typename Protocol::Id& id, const absl::Status& status) {
  auto item = std::make_shared<InFlight>();
  SetId(id, item->reply);
  SetError(status, inference_, item->reply);
  transport_.OnEnd(status);
  Next next;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (!finished_) Deliver(next_serial_++, std::move(item));
    next = Decide();
  }
  Do(next);
}

template <class Protocol>
void StreamSessionOf<Protocol>::OnReply(uint64_t serial, const absl::Status& status) {
  transport_.OnEnd(status);
  Next next;
  {
    MutexLock lock(mutex_);
    auto it = in_flight_.find(serial);
    std::shared_ptr<InFlight> item = std::move(it->second);
    in_flight_.erase(it);
    if (status.ok()) {
      SetResponse(item->response, item->reply);
    } else {
      SetError(status, inference_, item->reply);
    }
    // A client that does not read its replies must not pin its requests too: the call has no more use for them.
    item->request = Request();
    item->call.reset();
    Deliver(serial, std::move(item));
    next = Decide();
  }
  Do(next);
}

/// Puts a reply where it waits to be written, behind those of earlier requests if order matters.
template <class Protocol>
void StreamSessionOf<Protocol>::Deliver(uint64_t serial, std::shared_ptr<InFlight> item) {
  if (!Protocol::kInOrder) return outbox_.push_back(std::move(item));
  early_[serial] = std::move(item);
  for (auto next = early_.begin(); next != early_.end() && next->first == next_reply_; ++next_reply_) {
    outbox_.push_back(std::move(next->second));
    next = early_.erase(next);
  }
}

template <class Protocol>
void StreamSessionOf<Protocol>::OnReadsDone() {
  Next next;
  {
    MutexLock lock(mutex_);
    reading_ = false;
    reads_done_ = true;
    next = Decide();
  }
  Do(next);
}

template <class Protocol>
void StreamSessionOf<Protocol>::OnWriteDone() {
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

template <class Protocol>
void StreamSessionOf<Protocol>::OnCancel() {
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

template <class Protocol>
void StreamSessionOf<Protocol>::Drain() {
  Next next;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    next = Decide();
  }
  Do(next);
}

template class StreamSessionOf<ClassifyStream>;
template class StreamSessionOf<InferStream>;

}  // namespace bertha::server
