#include "server/oip/methods.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "inference/grpc_service.pb.h"
#include "server/oip/describe.h"

namespace bertha::server::oip {
namespace {

/// A method that answers at once: `answer` is StatusOr<Response>(const Request&).
template <class Request, class Response, class Answer>
Method AtOnce(const char* name, Answer answer) {
  return MakeMethod<Request, Response>(
      Service(), name, Scope::kInfer,
      [answer = std::move(answer)](const Caller&, const Request& request, Response& response, const Done& done) {
        absl::StatusOr<Response> answered = answer(request);
        if (answered.ok()) response = *std::move(answered);
        done(answered.status());
        return nullptr;
      });
}

/// A method that operators may call: `run` is void(const Request&, Done).
template <class Request, class Response, class Run>
Method ForOperators(const char* name, Run run) {
  return MakeMethod<Request, Response>(
      Service(), name, Scope::kAdmin,
      [run = std::move(run)](const Caller&, const Request& request, Response&, Done done) {
        run(request, std::move(done));
        return nullptr;
      });
}

Method ModelInfer(const Inference& inference) {
  using inference::ModelInferRequest;
  using inference::ModelInferResponse;
  return MakeMethod<ModelInferRequest, ModelInferResponse>(
      Service(), "ModelInfer", Scope::kInfer,
      [&inference](const Caller& caller, const ModelInferRequest& request, ModelInferResponse& response, Done done) {
        return inference.Start(request, response, caller.deadline, std::move(done));
      });
}

Method RepositoryIndex(const ModelTable& models) {
  return AtOnce<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      "RepositoryIndex", [&models](const auto& request) { return DescribeRepository(models, request); });
}

absl::Status OnlyForOperators(const ServerFacts& facts) {
  if (facts.admin_address.empty()) {
    return absl::PermissionDeniedError("models are loaded by their directory; admin.address is not set");
  }
  return absl::PermissionDeniedError(
      absl::StrCat("models are loaded and unloaded on the admin listener, ", facts.admin_address, ", not here"));
}

}  // namespace

const google::protobuf::ServiceDescriptor& Service() {
  return *inference::ModelInferRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService");
}

std::vector<Method> PublicMethods(const Inference& inference, const ServerFacts& facts) {
  using namespace ::inference;
  const ModelTable& models = inference.context().models;
  const size_t max_inputs = inference.context().limits.max_inputs;
  const auto live = [](const ServerLiveRequest&) -> absl::StatusOr<ServerLiveResponse> {
    ServerLiveResponse response;
    response.set_live(true);
    return response;
  };
  const auto ready = [&facts](const ServerReadyRequest&) -> absl::StatusOr<ServerReadyResponse> {
    ServerReadyResponse response;
    response.set_ready(facts.ready());
    return response;
  };
  const auto refuse = [&facts](const auto&, const Done& done) { done(OnlyForOperators(facts)); };
  return {
      AtOnce<ServerLiveRequest, ServerLiveResponse>("ServerLive", live),
      AtOnce<ServerReadyRequest, ServerReadyResponse>("ServerReady", ready),
      AtOnce<ModelReadyRequest, ModelReadyResponse>(
          "ModelReady", [&models](const auto& request) { return DescribeReadiness(models, request); }),
      AtOnce<ServerMetadataRequest, ServerMetadataResponse>(
          "ServerMetadata", [](const auto&) -> absl::StatusOr<ServerMetadataResponse> { return DescribeServer(); }),
      AtOnce<ModelMetadataRequest, ModelMetadataResponse>(
          "ModelMetadata", [&models](const auto& request) { return DescribeModel(models, request); }),
      ModelInfer(inference),
      AtOnce<ModelConfigRequest, ModelConfigResponse>(
          "ModelConfig",
          [&models, max_inputs](const auto& request) { return DescribeConfig(models, max_inputs, request); }),
      AtOnce<ModelStatisticsRequest, ModelStatisticsResponse>("ModelStatistics",
                                                              [&inference](const auto& request) {
                                                                return DescribeStatistics(inference.context().models,
                                                                                          inference.clock(), request);
                                                              }),
      RepositoryIndex(models),
      ForOperators<RepositoryModelLoadRequest, RepositoryModelLoadResponse>("RepositoryModelLoad", refuse),
      ForOperators<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>("RepositoryModelUnload", refuse),
  };
}

std::vector<Method> RepositoryMethods(const ModelTable& models, ModelWatcher& watcher) {
  using namespace ::inference;
  const auto load = [&watcher](const RepositoryModelLoadRequest& request, Done done) {
    if (absl::Status status = CheckLoad(request); !status.ok()) return done(status);
    watcher.Load(request.model_name(), 0, std::move(done));
  };
  const auto unload = [&watcher](const RepositoryModelUnloadRequest& request, Done done) {
    if (absl::Status status = CheckUnload(request); !status.ok()) return done(status);
    watcher.Unload(request.model_name(), 0, std::move(done));
  };
  return {RepositoryIndex(models),
          ForOperators<RepositoryModelLoadRequest, RepositoryModelLoadResponse>("RepositoryModelLoad", load),
          ForOperators<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>("RepositoryModelUnload", unload)};
}

}  // namespace bertha::server::oip
