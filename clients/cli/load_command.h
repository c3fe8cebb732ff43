// `bertha load`: what a server does under load. The measuring is in bench/load; here are the options, the order of
// things, and what a person sees.
#ifndef BERTHA_CLIENTS_CLI_LOAD_COMMAND_H_
#define BERTHA_CLIENTS_CLI_LOAD_COMMAND_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/arrivals.h"
#include "bench/load/objective.h"
#include "bench/load/plan.h"
#include "clients/cli/server.h"

namespace bertha::cli {

struct LoadOptions {
  Server server;
  /// What to do: the first of these that is set, or else an open loop with recorded arrivals.
  bool self_test = false, find_capacity = false, sweep = false;
  std::optional<double> rate;
  std::optional<size_t> in_flight;

  double seconds = 10;
  /// Unset: 2, and 1 for each run of a search.
  std::optional<double> warm_up;
  /// Of a closed loop, instead of `seconds`.
  std::optional<size_t> requests;
  std::string arrivals_text = "poisson";
  load::Arrivals arrivals;
  uint64_t seed = 1;

  std::vector<std::string> texts;
  std::string file, column;
  /// As load::ParseLengths reads it.
  std::string synthetic_text;
  std::vector<std::string> model_texts;
  std::vector<load::Plan::Model> models;

  double deadline_ms = 0;
  enum class Protocol { kBertha, kOip, kHttp };
  Protocol protocol = Protocol::kBertha;
  /// Of kHttp; see load::HttpOptions.
  std::string http_path = "/", http_body = R"({"text": {text}})";
  bool stream = false;
  size_t channels = 2;
  Balancing balancing = Balancing::kPickFirst;
  std::optional<load::Objective> objective;

  bool json = false, quiet = false;
  std::string out;
  /// As it was called, for reports: without texts and token.
  std::vector<std::string> command;
};

/// Returns the exit code.
int RunLoad(const LoadOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LOAD_COMMAND_H_
