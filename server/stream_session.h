// The life of one StreamClassify stream, without the transport: requests in, replies out in completion order.
//
// Invariants: one read and one write are under way at most; at most `max_in_flight` requests of the stream are
// unanswered (reading pauses, and flow control tells the client); Finish is called once, after the last reply; every
// request that was read gets exactly one reply, unless the stream is cancelled.
//
// Thread-safety: thread-safe. The transport's methods are called without a lock held and must not call back inline.
#ifndef BERTHA_SERVER_STREAM_SESSION_H_
#define BERTHA_SERVER_STREAM_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "batcher/mutex.h"
#include "bertha/v1/bertha.pb.h"
#include "server/gate.h"
#include "server/inference.h"

namespace bertha::server {

class StreamTransport {
 public:
  virtual ~StreamTransport() = default;
  /// Ends in StreamSession::OnRequest, OnRefused or OnReadsDone.
  virtual void StartRead() = 0;
  /// Ends in StreamSession::OnWriteDone; `response` stays alive until then.
  virtual void StartWrite(const v1::StreamClassifyResponse& response) = 0;
  /// A request of the stream has ended.
  virtual void OnEnd(const absl::Status& status) = 0;
  /// Ends the stream. Nothing is started afterwards.
  virtual void Finish(const absl::Status& status) = 0;
};

class StreamSession : public Drainable, public std::enable_shared_from_this<StreamSession> {
 public:
  /// `inference` and `transport` outlive the session's last call; `deadline` is the stream's.
  StreamSession(const Inference& inference, StreamTransport& transport, batcher::TimePoint deadline,
                size_t max_in_flight);

  /// Asks for the first request.
  void Start();
  void OnRequest(v1::StreamClassifyRequest request);
  /// A message that is no valid request, or one too many: answered with `status`, the stream goes on.
  void OnRefused(uint64_t id, const absl::Status& status);
  /// The client sends no more (or the read failed).
  void OnReadsDone();
  void OnWriteDone();
  /// The client is gone: cancels what is in flight; replies are thrown away.
  void OnCancel();
  /// The server stops: reads no more, answers what was read, then finishes with UNAVAILABLE.
  void Drain() override;

 private:
  struct InFlight {
    v1::StreamClassifyRequest request;
    v1::StreamClassifyResponse reply;
    v1::ClassifyResponse response;
    std::shared_ptr<Operation> call;
  };
  /// What to do once the lock is released.
  struct Next {
    bool read = false;
    const v1::StreamClassifyResponse* write = nullptr;
    bool finish = false;
    absl::Status finish_status;
  };

  batcher::TimePoint DeadlineOf(const v1::StreamClassifyRequest& request) const;
  void OnReply(uint64_t serial, const absl::Status& status);
  Next Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(Next next);

  const Inference& inference_;
  StreamTransport& transport_;
  const batcher::TimePoint deadline_;
  const size_t max_in_flight_;

  Mutex mutex_;
  std::map<uint64_t, std::shared_ptr<InFlight>> in_flight_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<InFlight>> outbox_ ABSL_GUARDED_BY(mutex_);  // front() is being written if writing_
  uint64_t next_serial_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  /// Threads on their way to transport_.StartRead(): the stream must not finish before they are there.
  int starting_reads_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_STREAM_SESSION_H_
