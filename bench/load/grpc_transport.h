// Calls of a protocol over gRPC, each channel with a connection and a thread of its own.
#ifndef BERTHA_BENCH_LOAD_GRPC_TRANSPORT_H_
#define BERTHA_BENCH_LOAD_GRPC_TRANSPORT_H_

#include <grpcpp/channel.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/load/call_channel.h"
#include "bench/load/protocol.h"
#include "bench/load/transport.h"

namespace bertha::load {

class GrpcTransport final : public Transport {
 public:
  /// `channels`: each with a connection of its own (GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL). `authorization`: what calls
  /// carry under that name; empty: nothing.
  GrpcTransport(Protocol protocol, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                std::string authorization);

  void Send(size_t channel, const Call& call, Receiver& receiver) override { channels_[channel]->Send(call, receiver); }
  size_t channels() const override { return channels_.size(); }
  void CancelAll() override;

  std::map<absl::StatusCode, std::string> complaints() const override { return complaints_.first(); }

 private:
  const Protocol protocol_;
  Complaints complaints_;
  std::vector<std::unique_ptr<CallChannel>> channels_;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_GRPC_TRANSPORT_H_
