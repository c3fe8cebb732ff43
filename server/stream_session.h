// The life of one stream of calls, without the transport: requests in, replies out. Those of StreamClassify come in
// completion order and say which request they answer; those of ModelStreamInfer come in the order of the requests.
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
#include <string>

#include "absl/status/status.h"
#include "batcher/mutex.h"
#include "bertha/v1/bertha.pb.h"
#include "inference/grpc_service.pb.h"
#include "server/gate.h"
#include "server/inference.h"

namespace bertha::server {

/// bertha.v1.Bertha/StreamClassify.
struct ClassifyStream {
  using Request = v1::StreamClassifyRequest;
  using Reply = v1::StreamClassifyResponse;
  using Response = v1::ClassifyResponse;
  /// Names a request; 0 if it has no name.
  using Id = uint64_t;
  static constexpr bool kInOrder = false;
};

/// inference.GRPCInferenceService/ModelStreamInfer.
struct InferStream {
  using Request = inference::ModelInferRequest;
  using Reply = inference::ModelStreamInferResponse;
  using Response = inference::ModelInferResponse;
  using Id = std::string;
  static constexpr bool kInOrder = true;
};

template <class Protocol>
class StreamTransportOf {
 public:
  virtual ~StreamTransportOf() = default;
  /// Ends in StreamSession::OnRequest, OnRefused or OnReadsDone.
  virtual void StartRead() = 0;
  /// Ends in StreamSession::OnWriteDone; `reply` stays alive until then.
  virtual void StartWrite(const typename Protocol::Reply& reply) = 0;
  /// A request of the stream has ended.
  virtual void OnEnd(const absl::Status& status) = 0;
  /// Ends the stream. Nothing is started afterwards.
  virtual void Finish(const absl::Status& status) = 0;
};

template <class Protocol>
class StreamSessionOf : public Drainable, public std::enable_shared_from_this<StreamSessionOf<Protocol>> {
 public:
  using Request = typename Protocol::Request;
  using Reply = typename Protocol::Reply;
  using Transport = StreamTransportOf<Protocol>;

  /// `inference` and `transport` outlive the session's last call; `deadline` is the stream's.
  StreamSessionOf(const Inference& inference, Transport& transport, batcher::TimePoint deadline, size_t max_in_flight);

  /// Asks for the first request.
  void Start();
  void OnRequest(Request request);
  /// A message that is no valid request, or one too many: answered with `status`, the stream goes on.
  void OnRefused(const typename Protocol::Id& id, const absl::Status& status);
  /// The client sends no more (or the read failed).
  void OnReadsDone();
  void OnWriteDone();
  /// The client is gone: cancels what is in flight; replies are thrown away.
  void OnCancel();
  /// The server stops: reads no more, answers what was read, then finishes with UNAVAILABLE.
  void Drain() override;

 private:
  struct InFlight {
    Request request;
    Reply reply;
    typename Protocol::Response response;
    std::shared_ptr<Operation> call;
  };
  /// What to do once the lock is released.
  struct Next {
    bool read = false;
    const Reply* write = nullptr;
    bool finish = false;
    absl::Status finish_status;
  };

  void OnReply(uint64_t serial, const absl::Status& status);
  void Deliver(uint64_t serial, std::shared_ptr<InFlight> item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Next Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Do(Next next);

  const Inference& inference_;
  Transport& transport_;
  const batcher::TimePoint deadline_;
  const size_t max_in_flight_;

  Mutex mutex_;
  std::map<uint64_t, std::shared_ptr<InFlight>> in_flight_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<InFlight>> outbox_ ABSL_GUARDED_BY(mutex_);  // front() is being written if writing_
  /// Ended before one that was read earlier; with kInOrder only.
  std::map<uint64_t, std::shared_ptr<InFlight>> early_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_serial_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_reply_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  /// Threads on their way to transport_.StartRead(): the stream must not finish before they are there.
  int starting_reads_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

using StreamSession = StreamSessionOf<ClassifyStream>;
using StreamTransport = StreamTransportOf<ClassifyStream>;
using InferStreamSession = StreamSessionOf<InferStream>;
using InferStreamTransport = StreamTransportOf<InferStream>;

}  // namespace bertha::server

#endif  // BERTHA_SERVER_STREAM_SESSION_H_
