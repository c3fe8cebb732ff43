// What Prometheus' own client libraries tell of the process, from /proc (proc(5)).
#ifndef BERTHA_SERVER_METRICS_PROCESS_METRICS_H_
#define BERTHA_SERVER_METRICS_PROCESS_METRICS_H_

#include <vector>

namespace bertha::server {

struct ProcessMetric {
  const char* name;
  const char* help;
  double value;
  bool counter = false;
};

/// Those that can be read.
std::vector<ProcessMetric> ReadProcessMetrics();

}  // namespace bertha::server

#endif  // BERTHA_SERVER_METRICS_PROCESS_METRICS_H_
