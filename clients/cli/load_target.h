// Whom `bertha load` asks, and in which protocol.
#ifndef BERTHA_CLIENTS_CLI_LOAD_TARGET_H_
#define BERTHA_CLIENTS_CLI_LOAD_TARGET_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/summary_json.h"
#include "bench/load/transport.h"
#include "bench/load/trials.h"
#include "clients/cli/load_command.h"

namespace bertha::cli {

struct LoadTarget {
  std::unique_ptr<load::Transport> transport;
  /// What the server said of itself.
  std::vector<load::Report::Server::Model> models;
  /// Null unless the server's own times come from its counters.
  std::unique_ptr<load::ServerMeter> meter;
};

/// "bertha", "oip" or "http".
const char* NameOf(LoadOptions::Protocol protocol);

/// "pick_first" or "round_robin".
const char* NameOf(Balancing balancing);

/// Connects. UNAVAILABLE if nobody answers; INVALID_ARGUMENT where the options are wrong; else what the server says
/// against it. `trials` must outlive the target.
absl::StatusOr<LoadTarget> OpenTarget(const LoadOptions& options, const load::TrialOptions& trials);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_TARGET_H_
