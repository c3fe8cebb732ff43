#include "clients/cli/list_models.h"

#include <grpcpp/client_context.h>

#include <string>

#include "absl/time/clock.h"
#include "bertha/v1/bertha.grpc.pb.h"
#include "clients/cli/rpc_channel.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {
namespace {

std::string StateName(v1::ModelStatus::State state) {
  switch (state) {
    case v1::ModelStatus::STATE_LOADING:
      return "LOADING";
    case v1::ModelStatus::STATE_SERVING:
      return "SERVING";
    case v1::ModelStatus::STATE_FAILED:
      return "FAILED";
    default:
      return "UNKNOWN";
  }
}

ModelEntry ToEntry(const v1::ModelStatus& status) {
  const v1::ModelInfo& m = status.model();
  return {.model = {m.name(), m.version(), m.engine(), m.device(), m.dtype()},
          .state = StateName(status.state()),
          .reason = status.reason(),
          .family = status.family(),
          .task = status.task(),
          .labels = {status.labels().begin(), status.labels().end()},
          .max_length = status.max_length(),
          .accepts_pairs = status.accepts_pairs(),
          .probe_max_abs_diff = status.probe_max_abs_diff(),
          .probe_count = status.probe_count(),
          .is_default = status.is_default(),
          .version_labels = {status.version_labels().begin(), status.version_labels().end()},
          .refused_update = status.refused_update(),
          .unhealthy = status.unhealthy(),
          .refused_engines = {status.refused_engines().begin(), status.refused_engines().end()},
          .dimension = status.dimension(),
          .weight_bytes = status.weight_bytes()};
}

}  // namespace

grpc::Status AskModels(const std::shared_ptr<grpc::Channel>& channel, const Server& server, double timeout_seconds,
                       std::vector<ModelEntry>& entries) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(timeout_seconds)));
  Authorize(server, context);
  v1::ListModelsResponse response;
  const grpc::Status status = v1::Bertha::NewStub(channel)->ListModels(&context, {}, &response);
  for (const v1::ModelStatus& model : response.models()) entries.push_back(ToEntry(model));
  return status;
}

ListedModels ListModels(const Server& server, double timeout_seconds) {
  const auto channel = OpenChannel(server);
  ListedModels listed;
  const grpc::Status status = AskModels(channel, server, timeout_seconds, listed.entries);
  if (status.ok()) return listed;
  const absl::Status failure = CallFailure(server, status, *channel);
  PrintError(failure.message());
  return {.exit_code = absl::IsUnavailable(failure) ? kExitUnreachable : kExitFailed};
}

}  // namespace bertha::cli
