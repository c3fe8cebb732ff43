#include "clients/cli/load_target.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/load/grpc_transport.h"
#include "bench/load/http_transport.h"
#include "bench/load/server_facts.h"
#include "clients/cli/list_models.h"
#include "clients/cli/rpc_channel.h"

namespace bertha::cli {
namespace {

constexpr auto kConnectTimeout = std::chrono::seconds(10);
constexpr double kAskSeconds = 10;

using Models = std::vector<load::Report::Server::Model>;

bool Means(const load::Plan::Model& wish, const ModelEntry& entry) {
  if (wish.name.empty() ? !entry.is_default : wish.name != entry.model.name) return false;
  return wish.version.empty() || wish.version == absl::StrCat(entry.model.version) ||
         std::ranges::count(entry.version_labels, wish.version) > 0;
}

/// Those that serve and that `wishes` may mean.
Models MeantModels(const std::vector<load::Plan::Model>& wishes, const std::vector<ModelEntry>& entries) {
  Models models;
  for (const ModelEntry& entry : entries) {
    const bool meant = std::ranges::any_of(wishes, [&](const load::Plan::Model& wish) { return Means(wish, entry); });
    if (!meant || entry.state != "SERVING") continue;
    const Model& model = entry.model;
    models.push_back({model.name, absl::StrCat(model.version), entry.family, model.engine, model.dtype});
  }
  return models;
}

/// By bertha.v1, or by the Open Inference Protocol; asks what is there before.
absl::StatusOr<load::Protocol> ProtocolOf(const LoadOptions& options, const load::TrialOptions& trials,
                                          const load::Asking& asking, Models& models) {
  if (options.protocol == LoadOptions::Protocol::kBertha) {
    std::vector<ModelEntry> entries;
    const grpc::Status status = AskModels(asking.channel, options.server, kAskSeconds, entries);
    if (!status.ok() && status.error_code() != grpc::StatusCode::UNIMPLEMENTED) {
      return CallFailure(options.server, status, *asking.channel);
    }
    models = MeantModels(trials.models, entries);
    return load::BerthaProtocol(options.stream, trials.models, trials.texts);
  }
  std::vector<load::TextTensor> tensors(trials.models.size());
  models.resize(trials.models.size());
  for (size_t i = 0; i < trials.models.size(); ++i) {
    const grpc::Status status = load::AskTextTensor(asking, trials.models[i], tensors[i], models[i]);
    if (!status.ok()) return CallFailure(options.server, status, *asking.channel);
  }
  return load::OipProtocol(options.stream, trials.models, tensors, trials.texts);
}

absl::StatusOr<LoadTarget> OpenGrpc(const LoadOptions& options, const load::TrialOptions& trials) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (size_t i = 0; i < options.channels; ++i) {
    channels.push_back(OpenChannel(options.server, Connection::kOwn, options.balancing));
  }
  const load::Asking asking = {channels[0], Authorization(options.server)};
  LoadTarget target;
  absl::StatusOr<load::Protocol> protocol = ProtocolOf(options, trials, asking, target.models);
  if (!protocol.ok()) return protocol.status();
  for (const auto& channel : channels) {
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectTimeout)) {
      return absl::UnavailableError(UnreachableMessage(options.server.address, absl::DeadlineExceededError("")));
    }
  }
  target.transport = std::make_unique<load::GrpcTransport>(*std::move(protocol), channels, asking.authorization);
  if (options.protocol == LoadOptions::Protocol::kOip) {
    target.meter = std::make_unique<load::StatisticsMeter>(asking, trials.models);
  }
  return target;
}

absl::StatusOr<LoadTarget> OpenHttp(const LoadOptions& options, const load::TrialOptions& trials) {
  LoadTarget target;
  auto transport = load::OpenHttp({.address = options.server.address,
                                   .path = options.http_path,
                                   .body = options.http_body,
                                   .authorization = Authorization(options.server),
                                   .channels = options.channels},
                                  trials.models, trials.texts);
  if (!transport.ok()) return transport.status();
  target.transport = *std::move(transport);
  for (const auto& model : trials.models) target.models.push_back({.name = model.name, .version = model.version});
  return target;
}

}  // namespace

const char* NameOf(LoadOptions::Protocol protocol) {
  switch (protocol) {
    case LoadOptions::Protocol::kBertha:
      return "bertha";
    case LoadOptions::Protocol::kOip:
      return "oip";
    case LoadOptions::Protocol::kHttp:
      return "http";
  }
  return "?";
}

const char* NameOf(Balancing balancing) { return balancing == Balancing::kRoundRobin ? "round_robin" : "pick_first"; }

absl::StatusOr<LoadTarget> OpenTarget(const LoadOptions& options, const load::TrialOptions& trials) {
  return options.protocol == LoadOptions::Protocol::kHttp ? OpenHttp(options, trials) : OpenGrpc(options, trials);
}

}  // namespace bertha::cli
