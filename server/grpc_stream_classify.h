// bertha.v1.Bertha/StreamClassify on gRPC: a StreamSession's transport.
#ifndef BERTHA_SERVER_GRPC_STREAM_CLASSIFY_H_
#define BERTHA_SERVER_GRPC_STREAM_CLASSIFY_H_

#include <cstddef>

#include "server/grpc_service.h"
#include "server/inference.h"

namespace bertha::server {

/// What is referred to outlives the streams. `max_in_flight`: unanswered requests of one stream.
GrpcService::StartStream StreamClassifyOver(const Inference& inference, const GrpcEdge& edge, size_t max_in_flight);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_STREAM_CLASSIFY_H_
