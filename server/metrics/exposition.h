// Everything that is measured, in Prometheus' text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Names and units as Prometheus recommends: base units,
// `_total` for counters. Values of labels are names of models, methods, transports and codes: never anything of a
// request.
//
// Thread-safety: thread-safe.
#ifndef BERTHA_SERVER_METRICS_EXPOSITION_H_
#define BERTHA_SERVER_METRICS_EXPOSITION_H_

#include <string>

#include "batcher/dispatcher.h"
#include "server/feedback/feedback_store.h"
#include "server/gate.h"
#include "server/health_board.h"
#include "server/metrics/call_metrics.h"
#include "server/metrics/gpu_memory.h"
#include "server/model_table.h"

namespace bertha::server {

inline constexpr char kExpositionType[] = "text/plain; version=0.0.4; charset=utf-8";

/// Where the numbers are.
struct MetricsSources {
  const ModelTable& models;
  const batcher::Dispatcher& dispatcher;
  const Gate& gate;
  const CallMetrics& calls;
  GpuMemory& gpu_memory;
  /// What health says of each model; and votes, null if there are none.
  const HealthBoard& health;
  const feedback::FeedbackStore* feedback = nullptr;
};

std::string Exposition(const MetricsSources& sources);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METRICS_EXPOSITION_H_
