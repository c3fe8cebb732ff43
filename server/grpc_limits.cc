#include "server/grpc_limits.h"

#include <algorithm>
#include <climits>

namespace bertha::server {

void RefuseCompression(grpc::ServerBuilder& builder) {
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  // The above refuses calls by their headers; with this nothing is there that inflates, whatever is read first.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

void ApplyLimits(const Config& config, grpc::ServerBuilder& builder) {
  constexpr int kPingStrikes = 2;
  const auto set = [&](const char* argument, int64_t value) {
    builder.AddChannelArgument(argument, static_cast<int>(std::min<int64_t>(value, INT_MAX)));
  };
  const auto set_time = [&](const char* argument, int64_t ms) { set(argument, ms == 0 ? INT_MAX : ms); };
  RefuseCompression(builder);
  builder.SetMaxReceiveMessageSize(static_cast<int>(config.limits_max_message_bytes));
  set(GRPC_ARG_MAX_METADATA_SIZE, config.limits_max_metadata_bytes);
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, config.limits_max_concurrent_streams);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, config.limits_handshake_timeout_ms);
  set_time(GRPC_ARG_MAX_CONNECTION_AGE_MS, config.limits_max_connection_age_ms);
  set_time(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, config.limits_connection_age_grace_ms);
  set_time(GRPC_ARG_MAX_CONNECTION_IDLE_MS, config.limits_max_connection_idle_ms);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, config.limits_min_ping_interval_ms);
  set(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kPingStrikes);
  // Otherwise gRPC allows a connection without calls one ping in two hours, whatever the interval.
  set(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_ENABLE_CHANNELZ, 1);  // the default, but GrpcListener is blind without it
}

}  // namespace bertha::server
