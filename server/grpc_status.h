// absl's statuses as gRPC's.
#ifndef BERTHA_SERVER_GRPC_STATUS_H_
#define BERTHA_SERVER_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace bertha::server {

/// The codes are the same. The message is cut to 2 KiB, at a character: it travels in the trailers, where each byte may
/// take three, and clients refuse trailers of more than 8 KiB, code and all.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_STATUS_H_
