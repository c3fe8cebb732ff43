// `bertha health`: the standard gRPC health check, once or until the server serves.
#ifndef BERTHA_CLIENTS_CLI_HEALTH_COMMAND_H_
#define BERTHA_CLIENTS_CLI_HEALTH_COMMAND_H_

#include <string>

#include "clients/cli/server.h"

namespace bertha::cli {

struct HealthOptions {
  Server server;
  /// Name of a model; empty: the server as a whole.
  std::string model;
  double timeout_seconds = 10;
  /// Watch until SERVING, at most so long. 0: ask once.
  double wait_seconds = 0;
  bool json = false;
};

/// Returns the exit code: kExitOk only if the answer is SERVING.
int RunHealth(const HealthOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_HEALTH_COMMAND_H_
