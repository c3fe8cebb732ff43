#include "bench/load/grpc_transport.h"

#include <utility>

namespace bertha::load {

GrpcTransport::GrpcTransport(Protocol protocol, const std::vector<std::shared_ptr<grpc::Channel>>& channels,
                             std::string authorization)
    : protocol_(std::move(protocol)) {
  const ChannelSettings settings = {
      .protocol = protocol_, .authorization = std::move(authorization), .complaints = complaints_};
  for (const std::shared_ptr<grpc::Channel>& channel : channels) {
    channels_.push_back(protocol_.stream ? NewStreamChannel(channel, settings) : NewUnaryChannel(channel, settings));
  }
}

void GrpcTransport::CancelAll() {
  for (const std::unique_ptr<CallChannel>& channel : channels_) channel->CancelAll();
}

}  // namespace bertha::load
