#include "bench/load/server_facts.h"

#include <grpcpp/client_context.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/grpc_service.pb.h"

namespace bertha::load {
namespace {

constexpr auto kTimeout = std::chrono::seconds(10);

template <class Request, class Response>
grpc::Status Ask(const Asking& asking, const char* method, const Request& request, Response& response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  if (!asking.authorization.empty()) context.AddMetadata("authorization", asking.authorization);
  const grpc::internal::RpcMethod rpc(method, grpc::internal::RpcMethod::NORMAL_RPC);
  return grpc::internal::BlockingUnaryCall(asking.channel.get(), rpc, &context, request, &response);
}

using Metadata = inference::ModelMetadataResponse;

const Metadata::TensorMetadata* TextInput(const Metadata& metadata) {
  const Metadata::TensorMetadata* found = nullptr;
  size_t count = 0;
  for (const auto& input : metadata.inputs()) {
    if (input.datatype() != "BYTES") continue;
    if (input.name() == "text") return &input;
    found = &input;
    ++count;
  }
  return count == 1 ? found : nullptr;
}

double Micros(const inference::StatisticDuration& duration) { return static_cast<double>(duration.ns()) / 1e3; }

}  // namespace

grpc::Status AskTextTensor(const Asking& asking, const Plan::Model& model, TextTensor& tensor,
                           Report::Server::Model& known) {
  inference::ModelMetadataRequest request;
  request.set_name(model.name);
  request.set_version(model.version);
  Metadata metadata;
  const grpc::Status status = Ask(asking, "/inference.GRPCInferenceService/ModelMetadata", request, metadata);
  if (!status.ok()) return status;
  known = {.name = metadata.name(),
           .version = metadata.versions_size() > 0 ? *metadata.versions().rbegin() : "",
           .engine = metadata.platform()};
  const Metadata::TensorMetadata* input = TextInput(metadata);
  if (input == nullptr) {
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                        absl::StrCat("model ", metadata.name(),
                                     " has no input \"text\", nor only one of type BYTES: it takes no texts"));
  }
  tensor = {.name = input->name(), .shape = {}};
  for (const int64_t size : input->shape()) {
    if (size != 1 && size != -1) {
      return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                          absl::StrCat("model ", metadata.name(), ": its input ", input->name(), " takes ", size,
                                       " texts, and one is sent"));
    }
    tensor.shape.push_back(1);
  }
  return status;
}

void StatisticsMeter::Begin() { before_ = Read(); }

std::optional<ServerMeans> StatisticsMeter::End() {
  const std::optional<Sums> after = Read();
  if (!before_ || !after || after->calls <= before_->calls) return std::nullopt;
  const auto calls = static_cast<double>(after->calls - before_->calls);
  const auto batches = static_cast<double>(std::max<uint64_t>(1, after->batches - before_->batches));
  return ServerMeans{.tokenize_us = (after->tokenize_us - before_->tokenize_us) / calls,
                     .queue_us = (after->queue_us - before_->queue_us) / calls,
                     .compute_us = (after->compute_us - before_->compute_us) / calls,
                     .batch_size = static_cast<double>(after->texts - before_->texts) / batches};
}

std::optional<StatisticsMeter::Sums> StatisticsMeter::Read() const {
  Sums sums;
  std::set<std::pair<std::string, std::string>> asked;
  for (const Plan::Model& model : models_) {
    if (!asked.emplace(model.name, model.version).second) continue;
    inference::ModelStatisticsRequest request;
    request.set_name(model.name);
    request.set_version(model.version);
    inference::ModelStatisticsResponse response;
    const char* method = "/inference.GRPCInferenceService/ModelStatistics";
    if (!Ask(asking_, method, request, response).ok()) return std::nullopt;
    for (const inference::ModelStatistics& one : response.model_stats()) {
      const inference::InferStatistics& times = one.inference_stats();
      sums.calls += times.success().count();
      sums.texts += one.inference_count();
      sums.batches += one.execution_count();
      sums.tokenize_us += Micros(times.compute_input());
      sums.queue_us += Micros(times.queue());
      sums.compute_us += Micros(times.compute_infer());
    }
  }
  return sums;
}

}  // namespace bertha::load
