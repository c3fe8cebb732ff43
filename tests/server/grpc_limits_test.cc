#include "server/grpc_limits.h"

#include <climits>
#include <map>
#include <string>

#include "tests/catch.h"

namespace bertha::server {
namespace {

/// Tells what it would build a server with.
class Recorder final : public grpc::ServerBuilder {
 public:
  std::map<std::string, int> Numbers() {
    grpc::ChannelArguments arguments;
    for (grpc::ServerBuilderOption* option : options()) option->UpdateArguments(&arguments);
    std::map<std::string, int> numbers;
    const grpc_channel_args all = arguments.c_channel_args();
    for (size_t i = 0; i < all.num_args; ++i) {
      if (all.args[i].type == GRPC_ARG_INTEGER) numbers[all.args[i].key] = all.args[i].value.integer;
    }
    return numbers;
  }
};

std::map<std::string, int> ArgumentsFor(const Config& config) {
  Recorder builder;
  ApplyLimits(config, builder);
  return builder.Numbers();
}

TEST_CASE("EverySettingOfAConnectionReachesGrpc") {
  Config config;
  config.limits_max_metadata_bytes = 1001;
  config.limits_max_concurrent_streams = 1002;
  config.limits_handshake_timeout_ms = 1003;
  config.limits_max_connection_age_ms = 1004;
  config.limits_connection_age_grace_ms = 1005;
  config.limits_max_connection_idle_ms = 1006;
  config.limits_min_ping_interval_ms = 1007;
  const std::map<std::string, int> expected = {{GRPC_ARG_MAX_METADATA_SIZE, 1001},
                                               {GRPC_ARG_MAX_CONCURRENT_STREAMS, 1002},
                                               {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 1003},
                                               {GRPC_ARG_MAX_CONNECTION_AGE_MS, 1004},
                                               {GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 1005},
                                               {GRPC_ARG_MAX_CONNECTION_IDLE_MS, 1006},
                                               {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1007},
                                               {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2},
                                               {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
                                               {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
                                               {GRPC_ARG_ENABLE_CHANNELZ, 1}};
  CHECK(ArgumentsFor(config) == expected);
}

TEST_CASE("ATimeOfZeroMeansForEverButAPingIntervalOfZeroMeansAny") {
  Config config;
  config.limits_max_connection_age_ms = 0;
  config.limits_connection_age_grace_ms = 0;
  config.limits_max_connection_idle_ms = 0;
  config.limits_min_ping_interval_ms = 0;
  std::map<std::string, int> arguments = ArgumentsFor(config);
  CHECK(arguments.at(GRPC_ARG_MAX_CONNECTION_AGE_MS) == INT_MAX);
  CHECK(arguments.at(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS) == INT_MAX);
  CHECK(arguments.at(GRPC_ARG_MAX_CONNECTION_IDLE_MS) == INT_MAX);
  CHECK(arguments.at(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS) == 0);
}

TEST_CASE("WhatGrpcCannotCountIsCutToTheMostThatItCan") {
  Config config;
  config.limits_max_connection_age_ms = int64_t{INT_MAX} + 1;
  CHECK(ArgumentsFor(config).at(GRPC_ARG_MAX_CONNECTION_AGE_MS) == INT_MAX);
}

}  // namespace
}  // namespace bertha::server
