// Which refusals are worth trying again, and when.
#ifndef BERTHA_SERVER_RETRY_H_
#define BERTHA_SERVER_RETRY_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/inference.h"
#include "server/retry_after.h"

namespace bertha::server {

/// Milliseconds after which a caller should try again; 0 if trying again does not help.
inline uint32_t RetryAfterMs(const absl::Status& status, const Inference& inference) {
  if (const uint32_t carried = CarriedRetryAfterMs(status)) return carried;
  if (!absl::IsResourceExhausted(status) && !absl::IsUnavailable(status)) return 0;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(inference.RetryAfter()).count();
  return static_cast<uint32_t>(std::max<int64_t>(1, ms));
}

/// A status that is not OK, inside a message.
inline v1::Error ToWire(const absl::Status& status, const Inference& inference) {
  v1::Error error;
  error.set_code(static_cast<uint32_t>(status.code()));  // absl's codes are gRPC's
  error.set_message(std::string(status.message()));
  error.set_retry_after_ms(RetryAfterMs(status, inference));
  return error;
}

}  // namespace bertha::server

#endif  // BERTHA_SERVER_RETRY_H_
