#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/status/statusor.h"
#include "bench/load/call_channel.h"
#include "bench/load/calls_under_way.h"
#include "bench/load/wait_group.h"

namespace bertha::load {
namespace {

constexpr auto kPatienceAtEnd = std::chrono::seconds(1);

/// The calls of a stream that have no reply yet.
class Waiting {
 public:
  void Add(const Sender& sender) {
    by_number_[sender.number] = next_;
    by_age_.emplace_hint(by_age_.end(), next_++, sender);
  }
  /// The call of this number, or without one the oldest; nothing if there is none.
  std::optional<Sender> Take(std::optional<uint32_t> number) {
    auto found = by_age_.begin();
    if (number) {
      const auto age = by_number_.find(*number);
      found = age == by_number_.end() ? by_age_.end() : by_age_.find(age->second);
    }
    if (found == by_age_.end()) return std::nullopt;
    const Sender sender = found->second;
    by_number_.erase(sender.number);
    by_age_.erase(found);
    return sender;
  }

 private:
  uint64_t next_ = 0;
  std::map<uint64_t, Sender> by_age_;
  std::unordered_map<uint32_t, uint64_t> by_number_;
};

struct Stream;

/// What gRPC gives back when an operation of a stream is through.
struct Operation {
  enum class Kind { kStart, kWrite, kHalfClose, kRead, kFinish };
  Stream* stream;
  Kind kind;
};

/// Begun, then reading until it ends, and writing one message at a time.
struct Stream {
  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call;
  bool started = false;
  bool writing = false;  // or closing its half
  bool finished = false;
  std::deque<grpc::ByteBuffer> outgoing;
  Waiting waiting;
  grpc::ByteBuffer incoming;
  grpc::Status status;
  Operation start{this, Operation::Kind::kStart}, write{this, Operation::Kind::kWrite},
      half_close{this, Operation::Kind::kHalfClose}, read{this, Operation::Kind::kRead},
      finish{this, Operation::Kind::kFinish};
};

class StreamChannel final : public CallChannel {
 public:
  StreamChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings)
      : settings_(settings),
        calls_(settings.complaints),
        stub_(std::move(channel)),
        thread_([this] { TakeEvents(); }) {}

  ~StreamChannel() override {
    CancelAll();
    HalfClose();
    if (!streams_under_way_.Wait(std::chrono::steady_clock::now() + kPatienceAtEnd)) {
      CancelStreams();
      streams_under_way_.Wait(batcher::TimePoint::max());
    }
    queue_.Shutdown();
  }

  void Send(const Call& call, Receiver& receiver) override {
    grpc::ByteBuffer request = settings_.protocol.Request(call);
    calls_.Begin();
    MutexLock lock(mutex_);
    if (current_ == nullptr) Open();
    current_->waiting.Add({call.number, &receiver});
    current_->outgoing.push_back(std::move(request));
    WriteNext(*current_);
  }

  void CancelAll() override {
    // What has been answered needs no cancelling, and the stream serves the next run.
    if (calls_.Wait(std::chrono::steady_clock::now())) return;
    CancelStreams();
    calls_.Wait(batcher::TimePoint::max());
  }

 private:
  void Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    current_ = new Stream;  // Release deletes it
    streams_.insert(current_);
    streams_under_way_.Add();
    if (!settings_.authorization.empty()) current_->context.AddMetadata("authorization", settings_.authorization);
    current_->call = stub_.PrepareCall(&current_->context, settings_.protocol.method, &queue_);
    current_->call->StartCall(&current_->start);
  }

  void WriteNext(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!stream.started || stream.writing || stream.outgoing.empty()) return;
    stream.writing = true;
    grpc::WriteOptions options;
    if (stream.outgoing.size() > 1) options.set_buffer_hint();  // the next one follows at once: into one packet
    stream.call->Write(stream.outgoing.front(), options, &stream.write);
    stream.outgoing.pop_front();
  }

  void HalfClose() {
    MutexLock lock(mutex_);
    if (current_ == nullptr || !current_->started || current_->writing) return;
    current_->writing = true;
    current_->call->WritesDone(&current_->half_close);
  }

  void CancelStreams() {
    MutexLock lock(mutex_);
    for (Stream* stream : streams_) stream->context.TryCancel();
  }

  void TakeEvents() {
    void* tag = nullptr;
    for (bool ok = false; queue_.Next(&tag, &ok);) {
      const Operation& operation = *static_cast<Operation*>(tag);
      OnEvent(*operation.stream, operation.kind, ok);
    }
  }

  void OnEvent(Stream& stream, Operation::Kind kind, bool ok) {
    switch (kind) {
      case Operation::Kind::kStart:
        return ok ? OnStarted(stream) : End(stream);
      case Operation::Kind::kWrite:
      case Operation::Kind::kHalfClose:
        return OnWritten(stream, ok);
      case Operation::Kind::kRead:
        return ok ? OnMessage(stream) : End(stream);
      case Operation::Kind::kFinish:
        return OnFinished(stream);
    }
  }

  void OnStarted(Stream& stream) {
    MutexLock lock(mutex_);
    stream.started = true;
    stream.call->Read(&stream.incoming, &stream.read);
    WriteNext(stream);
  }

  void OnWritten(Stream& stream, bool ok) {
    MutexLock lock(mutex_);
    stream.writing = false;
    if (ok) WriteNext(stream);  // else reading fails as well, and ends the stream
    Release(stream);
  }

  void OnMessage(Stream& stream) {
    if (const absl::StatusOr<Reply> reply = settings_.protocol.Read(stream.incoming); reply.ok()) {
      OnReply(stream, *reply);
    } else {
      settings_.complaints.Add(reply.status().code(), reply.status().message());
      stream.context.TryCancel();
    }
    stream.call->Read(&stream.incoming, &stream.read);
  }

  void OnReply(Stream& stream, const Reply& reply) {
    std::optional<Sender> sender;
    {
      MutexLock lock(mutex_);
      sender = stream.waiting.Take(reply.number);
    }
    if (sender) calls_.End(*sender, reply.code, reply.error, reply.server);
  }

  /// No more messages come: why not? New calls take a new stream.
  void End(Stream& stream) {
    MutexLock lock(mutex_);
    if (current_ == &stream) current_ = nullptr;
    stream.started = false;  // nothing is written any more
    stream.call->Finish(&stream.status, &stream.finish);
  }

  void OnFinished(Stream& stream) {
    const absl::Status why =
        stream.status.ok() ? absl::UnavailableError("the server has ended the stream") : ToStatus(stream.status);
    while (const std::optional<Sender> sender = stream.waiting.Take(std::nullopt)) {
      calls_.End(*sender, why.code(), why.message());
    }
    MutexLock lock(mutex_);
    stream.finished = true;
    Release(stream);
  }

  void Release(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!stream.finished || stream.writing) return;
    streams_.erase(&stream);
    delete &stream;
    streams_under_way_.Done();
  }

  const ChannelSettings settings_;
  CallsUnderWay calls_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  WaitGroup streams_under_way_;
  Mutex mutex_;
  /// Takes new calls; null: there is none. A stream belongs to this class until it is released; beside what the lock
  /// guards only thread_ uses it.
  Stream* current_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::unordered_set<Stream*> streams_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace

std::unique_ptr<CallChannel> NewStreamChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings) {
  return std::make_unique<StreamChannel>(std::move(channel), settings);
}

}  // namespace bertha::load
