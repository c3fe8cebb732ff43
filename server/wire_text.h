// Says what is wrong with a message that protobuf refuses to decode. proto3 strings must be UTF-8 and the parser only
// answers "no"; the caller deserves the field, the index and the byte.
#ifndef BERTHA_SERVER_WIRE_TEXT_H_
#define BERTHA_SERVER_WIRE_TEXT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bertha::server {

/// Why `bytes` is no ClassifyRequest: INVALID_ARGUMENT, always. `path` goes before the field's name.
absl::Status ExplainClassifyRequest(absl::string_view bytes, absl::string_view path = "");

/// The same for a StreamClassifyRequest; `id` gets the request's id if it could be read, else 0.
absl::Status ExplainStreamClassifyRequest(absl::string_view bytes, uint64_t& id);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_WIRE_TEXT_H_
