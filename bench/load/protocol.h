// What differs between the ways to ask a server: the method, the bytes of a request, and what a reply tells.
//
// A request is put together from parts that are serialized once, before the run: what names the model, the text, and,
// where the call itself is in the message, its number. Concatenated protobuf messages merge
// (https://protobuf.dev/programming-guides/encoding/#last-one-wins), so the parts are never copied into one.
#ifndef BERTHA_BENCH_LOAD_PROTOCOL_H_
#define BERTHA_BENCH_LOAD_PROTOCOL_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/load/plan.h"
#include "bench/load/record.h"
#include "bench/load/transport.h"

namespace bertha::load {

/// Of a call.
struct Reply {
  /// On a stream: the call that it answers. Unset: that which has waited longest.
  std::optional<uint32_t> number;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string error;
  std::optional<ServerSplit> server;
};

/// Immutable.
struct Protocol {
  std::string method;  ///< "/package.Service/Method"
  bool stream = false;
  /// By the indexes of a plan.
  std::vector<grpc::Slice> models, texts;
  /// The part that is of one call only: its number, and how long it has. Null: there is none.
  grpc::Slice (*call_part)(const Call& call) = nullptr;
  /// Empties `bytes`. False: this is no reply of the protocol. Thread-safe.
  bool (*decode)(grpc::ByteBuffer& bytes, Reply& reply) = nullptr;

  grpc::ByteBuffer Request(const Call& call) const;
  /// Empties `bytes`. INTERNAL: this is no reply of the protocol. Thread-safe.
  absl::StatusOr<Reply> Read(grpc::ByteBuffer& bytes) const;
};

/// bertha.v1: Classify or StreamClassify. INVALID_ARGUMENT for a version that no int64 holds.
absl::StatusOr<Protocol> BerthaProtocol(bool stream, const std::vector<Plan::Model>& models,
                                        const std::vector<std::string>& texts);

/// Of the Open Inference Protocol: where a model takes its text.
struct TextTensor {
  std::string name = "text";
  /// Of one text: [1] or [1, 1].
  std::vector<int64_t> shape = {1};
};

/// ModelInfer or ModelStreamInfer. `tensors`: of each model.
Protocol OipProtocol(bool stream, const std::vector<Plan::Model>& models, const std::vector<TextTensor>& tensors,
                     const std::vector<std::string>& texts);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_PROTOCOL_H_
