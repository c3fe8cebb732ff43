// What a server says of its models by the Open Inference Protocol, before and after a run.
#ifndef BERTHA_BENCH_LOAD_SERVER_FACTS_H_
#define BERTHA_BENCH_LOAD_SERVER_FACTS_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/plan.h"
#include "bench/load/protocol.h"
#include "bench/load/record.h"
#include "bench/load/summary_json.h"
#include "bench/load/trials.h"

namespace bertha::load {

/// How it is asked.
struct Asking {
  std::shared_ptr<grpc::Channel> channel;
  /// As of GrpcTransport.
  std::string authorization;
};

/// By ModelMetadata: the only input of type BYTES, or the one that is called "text".
/// FAILED_PRECONDITION if there is none, or if it is not of one text.
grpc::Status AskTextTensor(const Asking& asking, const Plan::Model& model, TextTensor& tensor,
                           Report::Server::Model& known);

/// ModelStatistics before and after a run. A server that does not have it has no means.
class StatisticsMeter final : public ServerMeter {
 public:
  StatisticsMeter(Asking asking, std::vector<Plan::Model> models)
      : asking_(std::move(asking)), models_(std::move(models)) {}

  void Begin() override;
  std::optional<ServerMeans> End() override;

 private:
  /// Sums since the server's start.
  struct Sums {
    uint64_t calls = 0, texts = 0, batches = 0;
    double tokenize_us = 0, queue_us = 0, compute_us = 0;
  };
  std::optional<Sums> Read() const;

  const Asking asking_;
  const std::vector<Plan::Model> models_;
  std::optional<Sums> before_;
};

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_SERVER_FACTS_H_
