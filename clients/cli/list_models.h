// Asking the server what it has.
#ifndef BERTHA_CLIENTS_CLI_LIST_MODELS_H_
#define BERTHA_CLIENTS_CLI_LIST_MODELS_H_

#include <vector>

#include "clients/cli/exit_code.h"
#include "clients/cli/models_output.h"
#include "clients/cli/server.h"

namespace bertha::cli {

struct ListedModels {
  std::vector<ModelEntry> entries;
  /// Not kExitOk: there is no list, and why has been printed.
  int exit_code = kExitOk;
};

ListedModels ListModels(const Server& server, double timeout_seconds);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LIST_MODELS_H_
