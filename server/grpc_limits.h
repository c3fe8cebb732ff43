// The settings that bound what a gRPC connection may do.
#ifndef BERTHA_SERVER_GRPC_LIMITS_H_
#define BERTHA_SERVER_GRPC_LIMITS_H_

#include <grpcpp/grpcpp.h>

#include "server/config.h"
#include "server/connection_table.h"

namespace bertha::server {

/// What gRPC sees to.
void ApplyLimits(const Config& config, grpc::ServerBuilder& builder);

/// What GrpcListener sees to.
ConnectionTable::Options ConnectionLimitsOf(const Config& config);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_LIMITS_H_
