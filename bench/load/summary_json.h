// The report of `bertha load` as JSON (schema "bertha.load/1") and every call as CSV. No text that was
// sent is in either. Units are in the names; a quantile that does not exist is null.
#ifndef BERTHA_BENCH_LOAD_SUMMARY_JSON_H_
#define BERTHA_BENCH_LOAD_SUMMARY_JSON_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/capacity_search.h"
#include "bench/load/objective.h"
#include "bench/load/plan.h"
#include "bench/load/record.h"
#include "bench/load/summary.h"

namespace bertha::load {

/// Keeps the order of members.
using Json = nlohmann::ordered_json;

/// All that a report says besides the runs' figures.
struct Report {
  enum class Kind { kOpen, kClosed, kCapacity, kSweep };
  Kind kind = Kind::kOpen;
  std::string started;  ///< RFC 3339, UTC
  std::vector<std::string> command;
  struct Machine {
    std::string processor;
    size_t cores = 0;
    double memory_gb = 0;
    std::string kernel;
  } machine;
  struct Client {
    std::string program, version, protocol;
    bool stream = false;
    size_t channels = 1;
    std::string load_balancing = "pick_first";  ///< gRPC's name of the policy
  } client;
  struct Server {
    std::string address;
    struct Model {
      std::string name, version, family, engine, dtype;
    };
    std::vector<Model> models;
  } server;
  struct Plan {
    std::string arrivals;
    uint64_t seed = 0;
    std::string texts_source;
    size_t texts = 0;
    std::optional<double> deadline_ms;
    double warm_up_s = 0;
  } plan;
  std::optional<Objective> objective;
  std::optional<CapacitySearch::Result> capacity;
  struct Run {
    /// As asked for; unset in a closed loop.
    std::optional<double> rate;
    Summary summary;
  };
  std::vector<Run> runs;
};

/// "valid" is that of the capacity if one was searched, and of all runs otherwise.
Json ToJson(const Report& report);
Json ToJson(const Summary& summary, std::optional<double> rate);

/// The header of requests.csv, and the calls of one run; lines end with LF. The latency of a call that was not finished
/// is how long it was waited for.
std::string RequestsCsvHeader();
std::string RequestsCsv(size_t run, const Plan& plan, const Record& record);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_SUMMARY_JSON_H_
