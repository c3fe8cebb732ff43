// What a served model's forward passes tell its health and its metrics.
#ifndef BERTHA_SERVER_SERVED_PASSES_H_
#define BERTHA_SERVER_SERVED_PASSES_H_

#include <memory>
#include <utility>

#include "batcher/pass_observer.h"
#include "server/metrics/model_metrics.h"
#include "server/model_health.h"

namespace bertha::server {

class ServedPasses final : public batcher::PassObserver {
 public:
  /// `health` may be null.
  ServedPasses(std::shared_ptr<ModelHealth> health, std::shared_ptr<ModelMetrics> metrics)
      : health_(std::move(health)), metrics_(std::move(metrics)) {}

  void OnPass(const absl::Status& status, const batcher::BatchStats& batch, batcher::Duration time) override {
    if (status.ok()) {
      metrics_->batch_size.Observe(batch.size);
      metrics_->batch_tokens.Observe(batch.tokens);
      metrics_->tokens.fetch_add(batch.tokens, std::memory_order_relaxed);
      metrics_->padded_tokens.fetch_add(batch.padded_tokens, std::memory_order_relaxed);
    } else {
      metrics_->failed_passes.fetch_add(1, std::memory_order_relaxed);
    }
    if (health_) health_->OnPass(status, time);
  }
  void OnStuck() override {
    if (health_) health_->OnStuck();
  }
  void OnReturned() override {
    if (health_) health_->OnReturned();
  }

 private:
  const std::shared_ptr<ModelHealth> health_;
  const std::shared_ptr<ModelMetrics> metrics_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_SERVED_PASSES_H_
