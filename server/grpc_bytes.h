// Messages in gRPC's byte buffers.
#ifndef BERTHA_SERVER_GRPC_BYTES_H_
#define BERTHA_SERVER_GRPC_BYTES_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>

namespace bertha::server {

/// False if `bytes` is no such message; ExplainUndecodable says why.
bool Decode(const grpc::ByteBuffer& bytes, google::protobuf::Message& message);
void Encode(const google::protobuf::Message& message, grpc::ByteBuffer& bytes);
/// In one piece.
std::string Flatten(const grpc::ByteBuffer& bytes);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_BYTES_H_
