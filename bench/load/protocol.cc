#include "bench/load/protocol.h"

#include <google/protobuf/message_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bertha/v1/bertha.pb.h"
#include "inference/grpc_service.pb.h"

namespace bertha::load {
namespace {

grpc::Slice ToSlice(const google::protobuf::MessageLite& message) { return grpc::Slice(message.SerializeAsString()); }

template <class Message>
bool Parse(grpc::ByteBuffer& bytes, Message& message) {
  return grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok();
}

/// At least 1: 0 means no limit in messages, and the time may be over already.
template <class Unit>
int64_t AtLeastOne(Duration left) {
  return std::max<int64_t>(1, std::chrono::ceil<Unit>(left).count());
}

// --- bertha.v1 ---

absl::StatusOr<v1::ClassifyRequest> RequestFor(const Plan::Model& model) {
  v1::ClassifyRequest request;
  request.set_model(model.name);
  if (model.version.empty()) return request;
  if (!std::ranges::all_of(model.version, absl::ascii_isdigit)) {
    request.set_version_label(model.version);
    return request;
  }
  int64_t version = 0;
  if (!absl::SimpleAtoi(model.version, &version) || version == 0) {
    return absl::InvalidArgumentError(absl::StrCat("not a version: ", model.version));
  }
  request.set_version(version);
  return request;
}

ServerSplit SplitOf(const v1::ClassifyResult& result) {
  const v1::Timing& timing = result.timing();
  return {.tokenize_us = static_cast<float>(timing.tokenize_us()),
          .queue_us = static_cast<float>(timing.queue_us()),
          .compute_us = static_cast<float>(timing.compute_us()),
          .total_us = static_cast<float>(timing.total_us()),
          .batch_size = result.batch().size(),
          .batch_tokens = result.batch().tokens(),
          .tokens = result.tokens()};
}

void Read(const v1::ClassifyResponse& response, Reply& reply) {
  if (response.results_size() == 1) {
    reply.server = SplitOf(response.results(0));
  } else {
    reply.code = absl::StatusCode::kInternal;
    reply.error = absl::StrCat("one text was sent, ", response.results_size(), " results came back");
  }
}

bool DecodeClassify(grpc::ByteBuffer& bytes, Reply& reply) {
  thread_local v1::ClassifyResponse response;  // keeps its memory from reply to reply
  if (!Parse(bytes, response)) return false;
  Read(response, reply);
  return true;
}

bool DecodeStreamClassify(grpc::ByteBuffer& bytes, Reply& reply) {
  thread_local v1::StreamClassifyResponse response;
  if (!Parse(bytes, response)) return false;
  reply.number = static_cast<uint32_t>(response.id());
  if (response.has_error()) {
    reply.code = static_cast<absl::StatusCode>(response.error().code());
    reply.error = response.error().message();
  } else {
    Read(response.response(), reply);
  }
  return true;
}

grpc::Slice StreamClassifyPart(const Call& call) {
  v1::StreamClassifyRequest part;
  part.set_id(call.number);
  if (call.left) part.set_timeout_ms(static_cast<uint32_t>(AtLeastOne<std::chrono::milliseconds>(*call.left)));
  return ToSlice(part);
}

/// A part of a call is a part of the stream's message, too, inside of it.
grpc::Slice PartOf(bool stream, const v1::ClassifyRequest& part) {
  if (!stream) return ToSlice(part);
  v1::StreamClassifyRequest outer;
  *outer.mutable_request() = part;
  return ToSlice(outer);
}

// --- Open Inference Protocol ---

/// Elements of BYTES have their length before them: four bytes, little-endian.
std::string RawText(const std::string& text) {
  static_assert(std::endian::native == std::endian::little);
  const auto size = static_cast<uint32_t>(text.size());
  std::string raw(sizeof(size), '\0');
  std::memcpy(raw.data(), &size, sizeof(size));
  return raw.append(text);
}

grpc::Slice ModelPart(const Plan::Model& model, const TextTensor& tensor) {
  inference::ModelInferRequest part;
  part.set_model_name(model.name);
  part.set_model_version(model.version);
  auto& input = *part.add_inputs();
  input.set_name(tensor.name);
  input.set_datatype("BYTES");
  input.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  return ToSlice(part);
}

grpc::Slice ModelStreamInferPart(const Call& call) {
  inference::ModelInferRequest part;
  part.set_id(absl::StrCat(call.number));
  if (call.left) {
    (*part.mutable_parameters())["timeout"].set_int64_param(AtLeastOne<std::chrono::microseconds>(*call.left));
  }
  return ToSlice(part);
}

bool DecodeModelInfer(grpc::ByteBuffer& bytes, Reply&) {
  bytes.Clear();  // that it came is all that is asked of it
  return true;
}

/// "INVALID_ARGUMENT: text[0]: ...", as this server says it; others say no code.
absl::StatusCode CodeOf(absl::string_view error) {
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
    if (error.substr(0, error.find(':')) == name) return static_cast<absl::StatusCode>(code);
  }
  return absl::StatusCode::kUnknown;
}

bool DecodeModelStreamInfer(grpc::ByteBuffer& bytes, Reply& reply) {
  thread_local inference::ModelStreamInferResponse response;
  if (!Parse(bytes, response)) return false;
  uint32_t number = 0;
  if (absl::SimpleAtoi(response.infer_response().id(), &number)) reply.number = number;
  if (!response.error_message().empty()) {
    reply.code = CodeOf(response.error_message());
    reply.error = response.error_message();
  }
  return true;
}

}  // namespace

grpc::ByteBuffer Protocol::Request(const Call& call) const {
  std::array<grpc::Slice, 3> parts = {models[call.model], texts[call.text]};
  if (call_part == nullptr) return grpc::ByteBuffer(parts.data(), 2);
  parts[2] = call_part(call);
  return grpc::ByteBuffer(parts.data(), 3);
}

absl::StatusOr<Reply> Protocol::Read(grpc::ByteBuffer& bytes) const {
  Reply reply;
  if (decode(bytes, reply)) return reply;
  return absl::InternalError(absl::StrCat("what answers ", method, " is no reply of it"));
}

absl::StatusOr<Protocol> BerthaProtocol(bool stream, const std::vector<Plan::Model>& models,
                                        const std::vector<std::string>& texts) {
  Protocol protocol = {.method = stream ? "/bertha.v1.Bertha/StreamClassify" : "/bertha.v1.Bertha/Classify",
                       .stream = stream,
                       .call_part = stream ? StreamClassifyPart : nullptr,
                       .decode = stream ? DecodeStreamClassify : DecodeClassify};
  for (const Plan::Model& model : models) {
    const absl::StatusOr<v1::ClassifyRequest> part = RequestFor(model);
    if (!part.ok()) return part.status();
    protocol.models.push_back(PartOf(stream, *part));
  }
  for (const std::string& text : texts) {
    v1::ClassifyRequest part;
    part.add_inputs()->set_text(text);
    protocol.texts.push_back(PartOf(stream, part));
  }
  return protocol;
}

Protocol OipProtocol(bool stream, const std::vector<Plan::Model>& models, const std::vector<TextTensor>& tensors,
                     const std::vector<std::string>& texts) {
  const std::string service = "/inference.GRPCInferenceService/";
  Protocol protocol = {.method = absl::StrCat(service, stream ? "ModelStreamInfer" : "ModelInfer"),
                       .stream = stream,
                       .call_part = stream ? ModelStreamInferPart : nullptr,
                       .decode = stream ? DecodeModelStreamInfer : DecodeModelInfer};
  for (size_t i = 0; i < models.size(); ++i) protocol.models.push_back(ModelPart(models[i], tensors[i]));
  for (const std::string& text : texts) {
    inference::ModelInferRequest part;
    part.add_raw_input_contents(RawText(text));
    protocol.texts.push_back(ToSlice(part));
  }
  return protocol;
}

}  // namespace bertha::load
