// Says what is wrong with a message that protobuf refuses to decode. proto3 strings must be UTF-8 and the parser only
// answers "no"; the caller deserves the field, the index and the byte.
#ifndef BERTHA_SERVER_WIRE_TEXT_H_
#define BERTHA_SERVER_WIRE_TEXT_H_

#include <google/protobuf/descriptor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bertha::server {

/// Why `bytes` is no message of this type: INVALID_ARGUMENT, always.
absl::Status ExplainUndecodable(const google::protobuf::Descriptor& type, absl::string_view bytes);

/// The `id` of a StreamClassifyRequest that cannot be decoded, or 0.
uint64_t IdOfUndecodable(absl::string_view bytes);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_WIRE_TEXT_H_
