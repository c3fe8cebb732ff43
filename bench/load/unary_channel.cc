#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <thread>
#include <unordered_set>
#include <utility>

#include "absl/status/statusor.h"
#include "bench/load/call_channel.h"
#include "bench/load/calls_under_way.h"

namespace bertha::load {
namespace {

class UnaryChannel final : public CallChannel {
 public:
  UnaryChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings)
      : settings_(settings),
        calls_(settings.complaints),
        stub_(std::move(channel)),
        thread_([this] { TakeReplies(); }) {}

  ~UnaryChannel() override {
    CancelAll();
    queue_.Shutdown();
  }

  void Send(const Call& call, Receiver& receiver) override {
    auto* flight = new Flight{.sender = {call.number, &receiver}};  // TakeReplies deletes it
    if (call.left) {
      flight->context.set_deadline(std::chrono::system_clock::now() +
                                   std::chrono::duration_cast<std::chrono::system_clock::duration>(*call.left));
    }
    if (!settings_.authorization.empty()) flight->context.AddMetadata("authorization", settings_.authorization);
    flight->reader =
        stub_.PrepareUnaryCall(&flight->context, settings_.protocol.method, settings_.protocol.Request(call), &queue_);
    Register(flight);
    flight->reader->StartCall();
    flight->reader->Finish(&flight->bytes, &flight->status, flight);
  }

  void CancelAll() override {
    {
      MutexLock lock(mutex_);
      for (Flight* flight : flights_) flight->context.TryCancel();
    }
    calls_.Wait(batcher::TimePoint::max());
  }

 private:
  struct Flight {
    Sender sender;
    grpc::ClientContext context{};
    grpc::ByteBuffer bytes{};
    grpc::Status status{};
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader{};
  };

  void Register(Flight* flight) {
    calls_.Begin();
    MutexLock lock(mutex_);
    flights_.insert(flight);
  }

  void TakeReplies() {
    void* tag = nullptr;
    for (bool ok = false; queue_.Next(&tag, &ok);) {
      const std::unique_ptr<Flight> flight(static_cast<Flight*>(tag));
      {
        MutexLock lock(mutex_);
        flights_.erase(flight.get());
      }
      const absl::StatusOr<Reply> reply = ReplyTo(*flight);
      if (reply.ok()) {
        calls_.End(flight->sender, reply->code, reply->error, reply->server);
      } else {
        calls_.End(flight->sender, reply.status().code(), reply.status().message());
      }
    }
  }

  absl::StatusOr<Reply> ReplyTo(Flight& flight) const {
    if (!flight.status.ok()) return ToStatus(flight.status);
    return settings_.protocol.Read(flight.bytes);
  }

  const ChannelSettings settings_;
  CallsUnderWay calls_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  Mutex mutex_;
  std::unordered_set<Flight*> flights_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace

std::unique_ptr<CallChannel> NewUnaryChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings) {
  return std::make_unique<UnaryChannel>(std::move(channel), settings);
}

}  // namespace bertha::load
