// Asking the server what it has.
#ifndef BERTHA_CLIENTS_CLI_LIST_MODELS_H_
#define BERTHA_CLIENTS_CLI_LIST_MODELS_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <vector>

#include "clients/cli/exit_code.h"
#include "clients/cli/models_output.h"
#include "clients/cli/server.h"

namespace bertha::cli {

/// Asks over `channel`, which is one to `server`, and fills `entries`. Servers without bertha.v1: UNIMPLEMENTED.
grpc::Status AskModels(const std::shared_ptr<grpc::Channel>& channel, const Server& server, double timeout_seconds,
                       std::vector<ModelEntry>& entries);

struct ListedModels {
  std::vector<ModelEntry> entries;
  /// Not kExitOk: there is no list, and why has been printed.
  int exit_code = kExitOk;
};

/// The same over a channel of its own.
ListedModels ListModels(const Server& server, double timeout_seconds);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LIST_MODELS_H_
