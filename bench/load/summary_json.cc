#include "bench/load/summary_json.h"

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace bertha::load {
namespace {

constexpr char kSchema[] = "bertha.load/1";

double Seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

template <class T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json();
}

Json ToJson(const Quantiles& quantiles) {
  return {{"p50", OrNull(quantiles.p50)},   {"p90", OrNull(quantiles.p90)},   {"p95", OrNull(quantiles.p95)},
          {"p99", OrNull(quantiles.p99)},   {"p999", OrNull(quantiles.p999)}, {"max", OrNull(quantiles.max)},
          {"mean", OrNull(quantiles.mean)}, {"count", quantiles.count}};
}

Json ToJson(const Histogram& histogram) {
  Json buckets = Json::array();
  histogram.ForEach([&](const Histogram::Bucket& bucket) {
    buckets.push_back(Json::array({bucket.lowest, bucket.highest, bucket.count}));
  });
  return {{"unit", "us"}, {"buckets", std::move(buckets)}};
}

Json ServerJson(const Summary& summary) {
  if (!summary.server_total.has_value()) return nullptr;
  return {{"tokenize", ToJson(*summary.tokenize)},
          {"queue", ToJson(*summary.queue)},
          {"compute", ToJson(*summary.compute)},
          {"total", ToJson(*summary.server_total)}};
}

Json MeansJson(const std::optional<ServerMeans>& means) {
  if (!means.has_value()) return nullptr;
  return {
      {"tokenize", means->tokenize_us / 1e3}, {"queue", means->queue_us / 1e3}, {"compute", means->compute_us / 1e3}};
}

Json TimelineJson(const std::vector<TimelinePoint>& timeline) {
  Json points = Json::array();
  for (const TimelinePoint& point : timeline) {
    points.push_back({{"at_s", point.at_s},
                      {"planned", point.planned},
                      {"answered", point.answered},
                      {"failed", point.failed},
                      {"p50_ms", OrNull(point.p50_ms)},
                      {"p99_ms", OrNull(point.p99_ms)}});
  }
  return points;
}

Json BatchSizesJson(const std::map<uint32_t, size_t>& sizes) {
  Json json = Json::object();
  for (const auto& [size, requests] : sizes) json[absl::StrCat(size)] = requests;
  return json;
}

Json CapacityJson(const std::optional<CapacitySearch::Result>& capacity) {
  if (!capacity.has_value()) return nullptr;
  Json tried = Json::array();
  for (const CapacitySearch::Tried& rate : capacity->tried) {
    tried.push_back({{"rate", rate.rate},
                     {"met", OrNull(rate.met)},
                     {"seconds", rate.seconds},
                     {"calls", rate.calls},
                     {"over", rate.over}});
  }
  return {{"per_s", capacity->per_s}, {"tried", std::move(tried)}};
}

Json ObjectiveJson(const std::optional<Objective>& objective) {
  if (!objective.has_value()) return nullptr;
  return {{"quantile", objective->quantile}, {"latency_ms", Seconds(objective->latency) * 1e3}};
}

Json MachineJson(const Report::Machine& machine) {
  return {{"processor", machine.processor},
          {"cores", machine.cores},
          {"memory_gb", machine.memory_gb},
          {"kernel", machine.kernel}};
}

Json ClientJson(const Report::Client& client) {
  return {{"program", client.program}, {"version", client.version},   {"protocol", client.protocol},
          {"stream", client.stream},   {"channels", client.channels}, {"load_balancing", client.load_balancing}};
}

Json ServerJson(const Report::Server& server) {
  Json models = Json::array();
  for (const Report::Server::Model& model : server.models) {
    models.push_back({{"name", model.name},
                      {"version", model.version},
                      {"family", model.family},
                      {"engine", model.engine},
                      {"dtype", model.dtype}});
  }
  return {{"address", server.address}, {"models", std::move(models)}};
}

Json PlanJson(const Report::Plan& plan) {
  return {{"arrivals", plan.arrivals},
          {"seed", plan.seed},
          {"texts", {{"source", plan.texts_source}, {"count", plan.texts}}},
          {"deadline_ms", OrNull(plan.deadline_ms)},
          {"warm_up_s", plan.warm_up_s}};
}

std::string NameOf(Report::Kind kind) {
  constexpr std::array kNames = {"open", "closed", "capacity", "sweep"};
  return kNames[static_cast<size_t>(kind)];
}

/// Of a search its result counts, which has seen to its runs; the sweep after it has runs of its own.
std::vector<std::string> WhyInvalid(const Report& report) {
  std::vector<std::string> reasons;
  if (report.capacity.has_value()) reasons = report.capacity->invalid;
  if (report.kind == Report::Kind::kCapacity) return reasons;
  for (size_t i = 0; i < report.runs.size(); ++i) {
    for (const std::string& reason : report.runs[i].summary.invalid) {
      reasons.push_back(report.runs.size() == 1 ? reason : absl::StrCat("run ", i + 1, ": ", reason));
    }
  }
  return reasons;
}

/// A field of a CSV line (RFC 4180).
std::string Field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string ServerFields(const std::optional<ServerSplit>& server) {
  if (!server.has_value()) return ",,,,";
  return absl::StrFormat("%d,%.3f,%.3f,%.3f,%d", server->tokens, server->tokenize_us / 1e3, server->queue_us / 1e3,
                         server->compute_us / 1e3, server->batch_size);
}

}  // namespace

Json ToJson(const Summary& summary, std::optional<double> rate) {
  return {{"rate", OrNull(rate)},
          {"in_flight", summary.closed ? Json(summary.in_flight) : Json()},
          {"seconds", summary.seconds},
          {"calls", summary.calls},
          {"planned_per_s", summary.planned_per_s},
          {"offered_per_s", summary.offered_per_s},
          {"answered_per_s", summary.answered_per_s},
          {"goodput_per_s", summary.goodput_per_s},
          {"codes", summary.codes},
          {"latency_ms", {{"all", ToJson(summary.all)}, {"answered", ToJson(summary.answered)}}},
          {"send_lag_ms", ToJson(summary.send_lag)},
          {"client_cores", summary.client_cores},
          {"cores_per_channel", summary.cores_per_channel},
          {"server_ms", ServerJson(summary)},
          {"server_means_ms", MeansJson(summary.means)},
          {"mean_batch", OrNull(summary.mean_batch)},
          {"batch_sizes", BatchSizesJson(summary.batch_sizes)},
          {"histogram", ToJson(summary.histogram)},
          {"timeline", TimelineJson(summary.timeline)},
          {"valid", summary.invalid.empty()},
          {"invalid", summary.invalid}};
}

Json ToJson(const Report& report) {
  const std::vector<std::string> invalid = WhyInvalid(report);
  Json runs = Json::array();
  for (const Report::Run& run : report.runs) runs.push_back(ToJson(run.summary, run.rate));
  return {{"schema", kSchema},
          {"kind", NameOf(report.kind)},
          {"started", report.started},
          {"command", report.command},
          {"machine", MachineJson(report.machine)},
          {"client", ClientJson(report.client)},
          {"server", ServerJson(report.server)},
          {"plan", PlanJson(report.plan)},
          {"objective", ObjectiveJson(report.objective)},
          {"valid", invalid.empty()},
          {"invalid", invalid},
          {"capacity", CapacityJson(report.capacity)},
          {"runs", std::move(runs)}};
}

std::string RequestsCsvHeader() {
  return "run,call,planned_s,sent_s,latency_ms,code,model,text,tokens,tokenize_ms,queue_ms,compute_ms,batch_size\n";
}

std::string RequestsCsv(size_t run, const Plan& plan, const Record& record) {
  std::string csv;
  for (size_t i = 0; i < record.outcomes.size(); ++i) {
    const Outcome& outcome = record.outcomes[i];
    absl::StrAppendFormat(&csv, "%d,%d,%.6f,%.6f,%.3f,%s,%s,%d,%s\n", run, i, Seconds(outcome.planned),
                          Seconds(outcome.sent), Seconds(outcome.latency()) * 1e3, CodeName(outcome),
                          Field(plan.models[outcome.model].name), outcome.text, ServerFields(outcome.server));
  }
  return csv;
}

}  // namespace bertha::load
