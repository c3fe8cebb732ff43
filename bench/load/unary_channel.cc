#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <thread>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load/call_channel.h"
#include "bench/load/wait_group.h"

namespace bertha::load {
namespace {

class UnaryChannel final : public CallChannel {
 public:
  UnaryChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings)
      : settings_(settings), stub_(std::move(channel)), thread_([this] { TakeReplies(); }) {}

  ~UnaryChannel() override {
    CancelAll();
    queue_.Shutdown();
  }

  void Send(const Call& call, Receiver& receiver) override {
    auto* flight = new Flight{.number = call.number, .receiver = &receiver};  // TakeReplies deletes it
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
    under_way_.Wait(batcher::TimePoint::max());
  }

 private:
  struct Flight {
    uint32_t number = 0;
    Receiver* receiver = nullptr;
    grpc::ClientContext context{};
    grpc::ByteBuffer bytes{};
    grpc::Status status{};
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader{};
  };

  void Register(Flight* flight) {
    under_way_.Add();
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
      const Reply reply = ReplyOf(*flight);
      if (reply.code != absl::StatusCode::kOk) settings_.complaints.Add(reply.code, reply.error);
      flight->receiver->OnReply(flight->number, reply.code, reply.server);
      under_way_.Done();
    }
  }

  Reply ReplyOf(Flight& flight) const {
    Reply reply;
    if (!flight.status.ok()) {
      reply.code = static_cast<absl::StatusCode>(flight.status.error_code());
      reply.error = flight.status.error_message();
    } else if (!settings_.protocol.decode(flight.bytes, reply)) {
      reply.code = absl::StatusCode::kInternal;
      reply.error = absl::StrCat("what answers ", settings_.protocol.method, " is no reply of it");
    }
    return reply;
  }

  const ChannelSettings settings_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  WaitGroup under_way_;
  Mutex mutex_;
  std::unordered_set<Flight*> flights_ ABSL_GUARDED_BY(mutex_);
  std::jthread thread_;  // the last member: it uses the others
};

}  // namespace

std::unique_ptr<CallChannel> NewUnaryChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings) {
  return std::make_unique<UnaryChannel>(std::move(channel), settings);
}

}  // namespace bertha::load
