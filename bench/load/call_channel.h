// A connection over which calls of a protocol go, and the thread that takes their replies.
#ifndef BERTHA_BENCH_LOAD_CALL_CHANNEL_H_
#define BERTHA_BENCH_LOAD_CALL_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "bench/load/complaints.h"
#include "bench/load/protocol.h"
#include "bench/load/transport.h"

namespace bertha::load {

/// What all channels of a transport share; outlives them.
struct ChannelSettings {
  const Protocol& protocol;
  /// The value of "authorization"; empty: none is sent.
  std::string authorization;
  Complaints& complaints;
};

/// gRPC's codes are absl's.
inline absl::Status ToStatus(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

/// Thread-safe. As Transport.
class CallChannel {
 public:
  virtual ~CallChannel() = default;
  virtual void Send(const Call& call, Receiver& receiver) = 0;
  virtual void CancelAll() = 0;
};

/// Each call is one of gRPC's; its deadline is, too.
std::unique_ptr<CallChannel> NewUnaryChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings);

/// All calls share a stream, which is begun with the first call, and again with the first after it has ended. A call is
/// written when those before it have been: what flow control holds back counts as latency.
std::unique_ptr<CallChannel> NewStreamChannel(std::shared_ptr<grpc::Channel> channel, const ChannelSettings& settings);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_CALL_CHANNEL_H_
