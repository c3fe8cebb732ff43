#include "bench/report/figures.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace bertha::report {
namespace {

using nlohmann::json;

const json& Null() {
  static const json null;
  return null;
}

const json& At(const json& value, std::initializer_list<const char*> path) {
  const json* found = &value;
  for (const char* name : path) {
    const auto member = found->is_object() ? found->find(name) : found->end();
    if (!found->is_object() || member == found->end()) return Null();
    found = &*member;
  }
  return *found;
}

std::optional<double> Number(const json& value, std::initializer_list<const char*> path) {
  const json& found = At(value, path);
  if (!found.is_number()) return std::nullopt;
  return found.get<double>();
}

/// The smaller path first: a call's own split, or else the means of the whole run.
std::optional<double> StageMean(const json& run, const char* stage) {
  const auto of_calls = Number(run, {"server_ms", stage, "mean"});
  return of_calls ? of_calls : Number(run, {"server_means_ms", stage});
}

std::optional<double> NotAnswered(const json& run) {
  const auto calls = Number(run, {"calls"});
  if (!calls || *calls <= 0) return std::nullopt;
  return 1 - Number(run, {"codes", "OK"}).value_or(0) / *calls;
}

struct Source {
  const char* title;
  Unit unit;
  int better;
  std::optional<double> (*read)(const json& report, const json& run);
};

using Maybe = std::optional<double>;

constexpr Source kSources[] = {
    {"capacity", Unit::kPerSecond, 1,
     [](const json& r, const json&) {
       return Number(r, {"capacity", "per_s"});
     }},
    {"offered", Unit::kPerSecond, 0, [](const json&, const json& run) { return Number(run, {"offered_per_s"}); }},
    {"answered", Unit::kPerSecond, 1, [](const json&, const json& run) { return Number(run, {"answered_per_s"}); }},
    {"goodput", Unit::kPerSecond, 1, [](const json&, const json& run) { return Number(run, {"goodput_per_s"}); }},
    {"latency p50", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "all", "p50"});
     }},
    {"latency p90", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "all", "p90"});
     }},
    {"latency p95", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "all", "p95"});
     }},
    {"latency p99", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "all", "p99"});
     }},
    {"latency p99.9", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "all", "p999"});
     }},
    {"latency max", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "all", "max"});
     }},
    {"latency mean", Unit::kMilliseconds, -1,
     [](const json&, const json& run) {
       return Number(run, {"latency_ms", "answered", "mean"});
     }},
    {"not answered", Unit::kShare, -1, [](const json&, const json& run) { return NotAnswered(run); }},
    {"tokenize, mean", Unit::kMilliseconds, -1,
     [](const json&, const json& run) { return StageMean(run, "tokenize"); }},
    {"queue, mean", Unit::kMilliseconds, -1, [](const json&, const json& run) { return StageMean(run, "queue"); }},
    {"compute, mean", Unit::kMilliseconds, -1, [](const json&, const json& run) { return StageMean(run, "compute"); }},
    {"batch, mean", Unit::kRequests, 0, [](const json&, const json& run) { return Number(run, {"mean_batch"}); }},
    {"send lag p99", Unit::kMilliseconds, 0,
     [](const json&, const json& run) {
       return Number(run, {"send_lag_ms", "p99"});
     }},
    {"client", Unit::kCores, 0, [](const json&, const json& run) { return Number(run, {"client_cores"}); }},
};

bool MetObjective(const json& report, const json& run) {
  const json& objective = At(report, {"objective"});
  if (!objective.is_object()) return NotAnswered(run) == 0.0;
  const auto limit = Number(objective, {"latency_ms"});
  const auto quantile = Number(objective, {"quantile"});
  const std::pair<double, const char*> known[] = {
      {0.5, "p50"}, {0.9, "p90"}, {0.95, "p95"}, {0.99, "p99"}, {0.999, "p999"}};
  for (const auto& [share, name] : known) {
    if (!quantile || !limit || *quantile != share) continue;
    const auto latency = Number(run, {"latency_ms", "all", name});
    return latency && *latency <= *limit;
  }
  return NotAnswered(run) == 0.0;
}

Figure Compare(const Source& source, const json& reports) {
  Figure figure{.title = source.title, .unit = source.unit, .better = source.better};
  for (const json& report : reports) {
    const json& runs = At(report, {"runs"});
    const size_t shown = ShownRun(report);
    figure.values.push_back(source.read(report, runs.is_array() && shown < runs.size() ? runs[shown] : Null()));
    const Maybe first = figure.values.front(), value = figure.values.back();
    figure.ratios.push_back(first && value && *first != 0 ? Maybe(*value / *first) : std::nullopt);
  }
  return figure;
}

}  // namespace

size_t ShownRun(const json& report) {
  const json& runs = At(report, {"runs"});
  if (!runs.is_array()) return 0;
  size_t shown = 0;
  double best = -1;
  for (size_t i = 0; i < runs.size(); ++i) {
    const double rate = Number(runs[i], {"rate"}).value_or(0);
    if (rate <= best || !MetObjective(report, runs[i])) continue;
    shown = i;
    best = rate;
  }
  return shown;
}

std::vector<Figure> CompareFigures(const json& reports) {
  std::vector<Figure> figures;
  for (const Source& source : kSources) {
    Figure figure = Compare(source, reports);
    const auto exists = [](const Maybe& value) { return value.has_value(); };
    if (std::any_of(figure.values.begin(), figure.values.end(), exists)) figures.push_back(std::move(figure));
  }
  return figures;
}

absl::string_view UnitName(Unit unit) {
  switch (unit) {
    case Unit::kPerSecond:
      return "per_s";
    case Unit::kMilliseconds:
      return "ms";
    case Unit::kShare:
      return "share";
    case Unit::kRequests:
      return "requests";
    case Unit::kCores:
      return "cores";
  }
  return "";
}

}  // namespace bertha::report
