// `bertha models`: what the server has loaded, and what it refused and why.
#ifndef BERTHA_CLIENTS_CLI_MODELS_COMMAND_H_
#define BERTHA_CLIENTS_CLI_MODELS_COMMAND_H_

#include <string>

#include "clients/cli/server.h"

namespace bertha::cli {

struct ModelsOptions {
  Server server;
  double timeout_seconds = 10;
  bool json = false;
};

/// Returns the exit code.
int RunModels(const ModelsOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_MODELS_COMMAND_H_
