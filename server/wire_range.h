// Spans of texts as the wire has them.
#ifndef BERTHA_SERVER_WIRE_RANGE_H_
#define BERTHA_SERVER_WIRE_RANGE_H_

#include <cstdint>

#include "bertha/v1/bertha.pb.h"
#include "tokenizer/tokenizer.h"

namespace bertha::server {

/// Texts are far below 4 GiB: gRPC's messages end at 2 GiB.
inline void FillRange(const tokenizer::Span& span, v1::Range& range) {
  range.set_begin(static_cast<uint32_t>(span.begin));
  range.set_end(static_cast<uint32_t>(span.end));
}

}  // namespace bertha::server

#endif  // BERTHA_SERVER_WIRE_RANGE_H_
