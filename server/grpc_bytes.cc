#include "server/grpc_bytes.h"

#include <grpcpp/impl/codegen/proto_utils.h>

#include <vector>

namespace bertha::server {

using google::protobuf::Message;

bool Decode(const grpc::ByteBuffer& bytes, Message& message) {
  grpc::ByteBuffer copy(bytes);  // shares the slices; Deserialize consumes its argument
  return grpc::SerializationTraits<Message>::Deserialize(&copy, &message).ok();
}

void Encode(const Message& message, grpc::ByteBuffer& bytes) {
  bool own_buffer = false;
  grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer);
}

std::string Flatten(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  std::string flat;
  if (!bytes.Dump(&slices).ok()) return flat;
  for (const grpc::Slice& slice : slices) {
    flat.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return flat;
}

}  // namespace bertha::server
