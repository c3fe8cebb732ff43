#include "bench/simulator/settings.h"

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::batcher {
namespace {

using nlohmann::json;

/// The table of a file, for a machine so many times as fast.
absl::StatusOr<CostTable> ReadCosts(const std::string& path, double speedup) {
  std::ifstream file(path);
  std::string text, header;
  std::getline(file, header);
  double tokens = 0, longest = 0, nanoseconds = 0, batches = 0;
  while (file >> tokens >> longest >> nanoseconds >> batches) {
    absl::StrAppend(&text, tokens, " ", longest, " ", nanoseconds / speedup, " ", batches, "\n");
  }
  auto loaded = CostTable::Load(absl::StrCat(header, "\n", text));
  if (!loaded.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", loaded.status().ToString()));
  if (!loaded->known()) return absl::InvalidArgumentError(absl::StrCat(path, ": no costs"));
  return loaded;
}

void ReadWorkload(const json& from, Settings& to) {
  to.arrivals = from.value("arrivals", to.arrivals);
  to.trace = from.value("trace", to.trace);
  to.load = from.value("load", to.load);
  to.seconds = from.value("seconds", to.seconds);
  to.warm_up = from.value("warm_up", to.warm_up);
  if (from.contains("lengths")) {
    const json& lengths = from["lengths"];
    to.median = lengths.value("median", to.median);
    to.sigma = lengths.value("sigma", to.sigma);
    to.least = lengths.value("least", to.least);
    to.most = lengths.value("most", to.most);
  }
  if (from.contains("deadlines_ms")) {
    to.deadline_low = from["deadlines_ms"].at(0).get<double>() / 1e3;
    to.deadline_high = from["deadlines_ms"].at(1).get<double>() / 1e3;
  }
  to.seed = from.value("seed", to.seed);
}

void ReadServers(const json& from, Settings& to) {
  to.policy = from.value("policy", to.policy);
  to.balancer = from.value("balancer", to.balancer);
  to.noise = from.value("noise", to.noise);
  to.replicas = from.value("replicas", to.replicas);
  to.weights = from.value("weights", std::vector<double>(from.value("models", size_t{1}), 1.0));
  to.cold = from.value("cold", to.cold);
  to.limits.max_batch_requests = from.value("max_batch_requests", size_t{32});
  to.limits.max_batch_tokens = from.value("max_batch_tokens", to.limits.max_batch_tokens);
  to.limits.pads = from.value("padding", true);
  to.queue.max_requests = from.value("max_requests", to.queue.max_requests);
  to.delay = from.value("max_queue_delay_ms", 5.0) / 1e3;
  if (to.policy == "bertha") to.queue.max_queue_delay = FromSeconds(from.value("max_queue_delay_ms", 0.0) / 1e3);
  to.queue.overload_target = FromSeconds(from.value("overload_target_ms", 5000.0) / 1e3);
  to.queue.share_identical = false;  // the tokens are all alike
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const json& from) {
  Settings settings;
  ReadWorkload(from, settings);
  ReadServers(from, settings);
  auto costs = ReadCosts(from.at("costs"), from.value("speedup", 1.0));
  if (!costs.ok()) return costs.status();
  settings.costs = *std::move(costs);
  return settings;
}

}  // namespace bertha::batcher
