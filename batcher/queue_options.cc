#include "batcher/queue_options.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bertha::batcher {
namespace {

absl::Status Positive(absl::string_view option, bool positive) {
  if (positive) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(option, " must be more than 0"));
}

absl::Status NotNegative(absl::string_view option, Duration value) {
  if (value >= Duration::zero()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(option, " must not be negative"));
}

}  // namespace

absl::Status Validate(const QueueOptions& options) {
  absl::Status status;
  status.Update(Positive("max_requests", options.max_requests > 0));
  status.Update(Positive("max_tokens", options.max_tokens > 0));
  status.Update(Positive("default_deadline", options.default_deadline > Duration::zero()));
  status.Update(NotNegative("max_queue_delay", options.max_queue_delay));
  status.Update(Positive("max_priority_delay", options.max_priority_delay > Duration::zero()));
  status.Update(NotNegative("overload_target", options.overload_target));
  status.Update(Positive("overload_window", options.overload_window > Duration::zero()));
  status.Update(Positive("workers", options.workers > 0));
  return status;
}

absl::Status Validate(const ModelLimits& limits) {
  absl::Status status;
  status.Update(Positive("max_batch_requests", limits.max_batch_requests > 0));
  if (limits.max_batch_requests > kMostBatchRequests) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat("max_batch_requests is ", limits.max_batch_requests, "; the most is ", kMostBatchRequests)));
  }
  status.Update(Positive("max_batch_tokens", limits.max_batch_tokens > 0));
  status.Update(Positive("weight", limits.weight > 0 && limits.weight <= 1e6));
  return status;
}

}  // namespace bertha::batcher
