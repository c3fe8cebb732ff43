// The settings that bound what a gRPC connection may do.
#ifndef BERTHA_SERVER_GRPC_LIMITS_H_
#define BERTHA_SERVER_GRPC_LIMITS_H_

#include <grpcpp/grpcpp.h>

#include "server/config.h"

namespace bertha::server {

/// Messages that their sender compressed end in UNIMPLEMENTED. gRPC bounds what it receives, but not what it inflates
/// that to: a thousand times as much.
void RefuseCompression(grpc::ServerBuilder& builder);

/// What gRPC sees to, compression too; ConnectionLimitsOf has the rest.
void ApplyLimits(const Config& config, grpc::ServerBuilder& builder);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_LIMITS_H_
