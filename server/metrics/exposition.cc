#include "server/metrics/exposition.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/metrics/model_metrics.h"
#include "server/metrics/process_metrics.h"

namespace bertha::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

/// One family of metrics as it is filled.
class Family {
 public:
  Family(std::vector<MetricFamily>& all, MetricType type, std::string name, std::string help) : family_(all) {
    all.push_back({std::move(name), std::move(help), type, {}});
  }

  void Add(Labels labels, double value) {
    ClientMetric& metric = New(std::move(labels));
    metric.counter.value = metric.gauge.value = value;
  }

  void Add(Labels labels, const Histogram& histogram) {
    const Histogram::Values values = histogram.Read();
    ClientMetric::Histogram& out = New(std::move(labels)).histogram;
    for (size_t i = 0; i < values.counts.size(); ++i) {
      out.sample_count += values.counts[i];
      const bool last = i == histogram.bounds().size();
      out.bucket.push_back({out.sample_count, last ? std::numeric_limits<double>::infinity() : histogram.bounds()[i]});
    }
    out.sample_sum = values.sum;
  }

 private:
  ClientMetric& New(Labels labels) {
    ClientMetric& metric = family_.back().metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }

  std::vector<MetricFamily>& family_;
};

Labels LabelsOf(const ModelKey& key) { return {{"model", key.name}, {"version", absl::StrCat(key.version)}}; }

Labels With(Labels labels, const char* name, const char* value) {
  labels.push_back({name, value});
  return labels;
}

/// A rate is only seen between two values: were the server's first failure the first value of a series, an alert would
/// miss it. Other codes are not worth as many series.
bool BeginsAtZero(absl::StatusCode code) {
  return code == absl::StatusCode::kOk || code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnavailable;
}

class Page {
 public:
  void Gauge(const char* name, const char* help, double value) {
    Family(all_, MetricType::Gauge, name, help).Add({}, value);
  }
  void Counter(const char* name, const char* help, double value) {
    Family(all_, MetricType::Counter, name, help).Add({}, value);
  }

  /// A family with a member for each model for which `value` gives one.
  template <class Value>
  void PerModel(MetricType type, const char* name, const char* help, const std::vector<ModelEntry>& models,
                Value value) {
    Family family(all_, type, name, help);
    for (const ModelEntry& entry : models) {
      if (entry.model) family.Add(LabelsOf(entry.key), value(*entry.model));
    }
  }

  void Calls(const CallMetrics& calls) {
    Family family(all_, MetricType::Counter, "bertha_requests_total",
                  "Calls, and messages of streams, by how they ended.");
    for (const CallCounters& counters : calls.all()) {
      for (size_t code = 0; code < CallCounters::kCodes; ++code) {
        const uint64_t count = counters.by_code[code].load(std::memory_order_relaxed);
        if (count == 0 && !BeginsAtZero(static_cast<absl::StatusCode>(code))) continue;
        family.Add({{"transport", counters.transport},
                    {"method", counters.method},
                    {"code", absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}},
                   static_cast<double>(count));
      }
    }
  }

  void Stages(const std::vector<ModelEntry>& models) {
    Family family(all_, MetricType::Histogram, "bertha_request_duration_seconds",
                  "Time of inputs that were answered, by stage; total is from the decoded call to the result.");
    for (const ModelEntry& entry : models) {
      if (!entry.model) continue;
      const ModelMetrics& metrics = *entry.model->metrics;
      family.Add(With(LabelsOf(entry.key), "stage", "tokenize"), metrics.tokenize);
      family.Add(With(LabelsOf(entry.key), "stage", "queue"), metrics.queue);
      family.Add(With(LabelsOf(entry.key), "stage", "compute"), metrics.compute);
      family.Add(With(LabelsOf(entry.key), "stage", "total"), metrics.total);
    }
  }

  std::string Text() const { return prometheus::TextSerializer().Serialize(all_); }
  std::vector<MetricFamily>& all() { return all_; }

 private:
  std::vector<MetricFamily> all_;
};

void AddModels(const std::vector<ModelEntry>& models, Page& page) {
  page.Stages(models);
  page.PerModel(MetricType::Histogram, "bertha_batch_size", "Inputs of a forward pass.", models,
                [](const ServingModel& m) -> const Histogram& { return m.metrics->batch_size; });
  page.PerModel(MetricType::Histogram, "bertha_batch_tokens", "Tokens of a forward pass, without padding.", models,
                [](const ServingModel& m) -> const Histogram& { return m.metrics->batch_tokens; });
  page.PerModel(MetricType::Counter, "bertha_tokens_total", "Tokens that were computed, without padding.", models,
                [](const ServingModel& m) { return m.metrics->tokens.load(); });
  page.PerModel(MetricType::Counter, "bertha_padded_tokens_total",
                "Tokens that were computed, with padding: what is above bertha_tokens_total is waste.", models,
                [](const ServingModel& m) { return m.metrics->padded_tokens.load(); });
  page.PerModel(MetricType::Counter, "bertha_failed_passes_total", "Forward passes that failed.", models,
                [](const ServingModel& m) { return m.metrics->failed_passes.load(); });
  page.PerModel(MetricType::Gauge, "bertha_model_load_seconds", "Time to read, check and measure the package.", models,
                [](const ServingModel& m) { return m.metrics->load_seconds.load(); });
  page.PerModel(MetricType::Gauge, "bertha_model_weight_bytes", "Bytes of the weights in memory.", models,
                [](const ServingModel& m) { return static_cast<double>(m.weight_bytes); });
  page.PerModel(MetricType::Gauge, "bertha_self_check_max_abs_diff",
                "Largest difference of a logit from the exporter's, over the package's probes, at load.", models,
                [](const ServingModel& m) { return m.probes.max_abs_diff; });
  page.PerModel(MetricType::Gauge, "bertha_self_check_flips",
                "Decisions over the probes that differ from the exporter's.", models,
                [](const ServingModel& m) { return static_cast<double>(m.probes.flips); });
}

void AddGpuMemory(const GpuMemory::Devices& devices, Page& page) {
  const auto add = [&](const char* name, const char* help, size_t models::CudaMemory::*bytes) {
    Family family(page.all(), MetricType::Gauge, name, help);
    for (const auto& [index, memory] : devices) {
      family.Add({{"device", absl::StrCat(index)}}, static_cast<double>(memory.*bytes));
    }
  };
  if (devices.empty()) return;
  add("bertha_gpu_memory_used_bytes", "Memory of a CUDA device that is taken, by any process.",
      &models::CudaMemory::used_bytes);
  add("bertha_gpu_memory_total_bytes", "Memory of a CUDA device.", &models::CudaMemory::total_bytes);
}

void AddHealth(const HealthSnapshot& health, Page& page) {
  page.Gauge("bertha_live", "1 unless a restart would help.", health.live.ok);
  page.Gauge("bertha_ready", "1 if calls are answered.", health.ready.ok);
  Family up(page.all(), MetricType::Gauge, "bertha_model_up", "1 if the model's forward passes succeed, rightly.");
  for (const auto& [key, verdict] : health.models) up.Add(LabelsOf(key), verdict.ok);
}

void AddRejections(const batcher::Dispatcher::Rejections& rejections, const Gate::Refusals& refusals, Page& page) {
  Family family(page.all(), MetricType::Counter, "bertha_rejections_total",
                "Texts that the queue refused or gave up, and calls that were not let in, by reason.");
  const std::pair<const char*, uint64_t> counts[] = {
      {"queue_full", rejections.queue_full},
      {"not_in_time", rejections.not_in_time},
      {"expired", rejections.expired},
      {"too_late", rejections.too_late},
      {"shed", rejections.shed},
      {"evicted", rejections.evicted},
      {"cancelled", rejections.cancelled},
      {"stopped", rejections.stopped},
      {"stuck", rejections.stuck},
      {"draining", refusals.draining},
      {"rate_limit", refusals.rate_limit},
      {"unauthenticated", refusals.unauthenticated},
      {"forbidden", refusals.forbidden},
  };
  for (const auto& [reason, count] : counts) family.Add({{"reason", reason}}, static_cast<double>(count));
}

void AddFeedback(const feedback::FeedbackStore::Stats& stats, Page& page) {
  page.Counter("bertha_feedback_stored_total", "Votes that were stored.", static_cast<double>(stats.stored));
  page.Counter("bertha_feedback_refused_total", "Votes refused since too many waited.",
               static_cast<double>(stats.refused));
  page.Counter("bertha_feedback_failed_total", "Votes that failed because of the database.",
               static_cast<double>(stats.failed));
  page.Gauge("bertha_feedback_waiting", "Votes that wait to be stored.", static_cast<double>(stats.waiting));
  page.Gauge("bertha_feedback_up", "1 if the database takes votes.", stats.working);
}

}  // namespace

std::string Exposition(const MetricsSources& sources) {
  Page page;
  const std::vector<ModelEntry> models = sources.models.List();
  page.Calls(sources.calls);
  AddModels(models, page);
  AddGpuMemory(sources.gpu_memory.Read(models), page);
  AddHealth(sources.health.Snapshot(), page);
  AddRejections(sources.dispatcher.rejections(), sources.gate.refusals(), page);
  if (sources.feedback) AddFeedback(sources.feedback->stats(), page);
  const batcher::Dispatcher::Load load = sources.dispatcher.load();
  page.Gauge("bertha_in_flight_calls", "Calls and streams that have not ended.",
             static_cast<double>(sources.gate.in_flight()));
  page.Gauge("bertha_queue_requests", "Texts that wait.", static_cast<double>(load.waiting_requests));
  page.Gauge("bertha_queue_tokens", "Tokens that wait.", static_cast<double>(load.waiting_tokens));
  page.Gauge("bertha_running_batches", "Forward passes under way.", static_cast<double>(load.running_batches));
  const ModelTable::Counts counts = sources.models.counts();
  page.Counter("bertha_model_loads_total", "Packages that came to serve.", static_cast<double>(counts.loaded));
  page.Counter("bertha_model_refusals_total", "Packages that were refused.", static_cast<double>(counts.refused));
  page.Counter("bertha_model_fallbacks_total",
               "Packages that are not computed by the engine or type that was asked for.",
               static_cast<double>(counts.fell_back));
  for (const ProcessMetric& metric : ReadProcessMetrics()) {
    metric.counter ? page.Counter(metric.name, metric.help, metric.value)
                   : page.Gauge(metric.name, metric.help, metric.value);
  }
  return page.Text();
}

}  // namespace bertha::server
