// Streams of calls on gRPC: the transports of stream_session.h.
#ifndef BERTHA_SERVER_GRPC_STREAMS_H_
#define BERTHA_SERVER_GRPC_STREAMS_H_

#include <cstddef>

#include "server/grpc_service.h"
#include "server/inference.h"

namespace bertha::server {

/// bertha.v1.Bertha/StreamClassify. What is referred to outlives the streams. `max_in_flight`: unanswered requests of
/// one stream.
GrpcService::StartStream StreamClassifyOver(const Inference& inference, const GrpcEdge& edge, size_t max_in_flight);

/// inference.GRPCInferenceService/ModelStreamInfer; likewise.
GrpcService::StartStream ModelStreamInferOver(const Inference& inference, const GrpcEdge& edge, size_t max_in_flight);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_STREAMS_H_
