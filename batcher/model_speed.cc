#include "batcher/model_speed.h"

#include <algorithm>
#include <cmath>

namespace bertha::batcher {
namespace {

/// How fast the correction of the reckoned work follows what batches really take, and how far.
constexpr double kLearningRate = 0.1;
constexpr double kLeastInflation = 0.25, kMostInflation = 8;
/// How many accepted requests may end late, the step with which that is approached, and how far it may go.
constexpr double kMissed = 0.004, kMarginStep = 0.1, kMostMargin = 32;
/// A batch that takes longer than this many times what was expected teaches no more than that.
constexpr int64_t kSurprise = 8;
/// An estimate that nothing has confirmed for so long is doubted.
constexpr Duration kDoubt = std::chrono::seconds(1);
/// How fast the margin is forgotten while the device is idle.
constexpr double kForgetNs = 10e9;

}  // namespace

Duration ModelSpeed::WorkOf(size_t length, const ModelLimits& limits) const {
  const size_t together = std::clamp<size_t>(limits.max_batch_tokens / length, 1, limits.max_batch_requests);
  const auto batch = static_cast<double>(costs_.Estimate(together * length, length).count());
  return Duration(static_cast<int64_t>(inflation_ * batch / static_cast<double>(together)));
}

void ModelSpeed::Learn(const Batch& batch, TimePoint end, Duration took, TimePoint now) {
  if (took <= Duration::zero()) return;  // a clock that jumped teaches nothing
  learnt_ = now;
  if (batch.cost > Duration::zero() && took / kSurprise > batch.cost) {
    took = kSurprise * batch.cost;  // the clock jumped ahead, or the machine stood still
  } else {
    for (const Request* request : batch.requests) LearnMargin(end > request->deadline);
  }
  batch_ns_ += kLearningRate * (static_cast<double>(took.count()) - batch_ns_);
  costs_.Record(batch.stats.padded_tokens, batch.longest, took);
  if (!batch.full || batch.work <= Duration::zero()) return;
  const double real = inflation_ * static_cast<double>(took.count()) / static_cast<double>(batch.work.count());
  inflation_ += kLearningRate * (std::clamp(real, kLeastInflation, kMostInflation) - inflation_);
}

/// Keeps the share of accepted requests that end late near kMissed, whatever the estimates are worth.
void ModelSpeed::LearnMargin(bool missed) {
  const double step = kMarginStep * batch_ns_;
  margin_ns_ = std::clamp(margin_ns_ + (missed ? step : -kMissed * step), 0.0, kMostMargin * batch_ns_);
}

void ModelSpeed::Relax(TimePoint now) {
  margin_ns_ *= std::exp(-static_cast<double>((now - relaxed_).count()) / kForgetNs);
  relaxed_ = now;
}

bool ModelSpeed::Doubts(TimePoint now) {
  if (learnt_ == TimePoint()) learnt_ = now;
  if (now - learnt_ < kDoubt) return false;
  learnt_ = now;
  return true;
}

}  // namespace bertha::batcher
