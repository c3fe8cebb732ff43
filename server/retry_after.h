// A refusal that knows by itself when to come back carries the time with it, whatever transport it leaves by.
#ifndef BERTHA_SERVER_RETRY_AFTER_H_
#define BERTHA_SERVER_RETRY_AFTER_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "batcher/clock.h"

namespace bertha::server {

inline constexpr char kRetryAfterPayload[] = "bertha/retry-after-ms";

/// `status`, which is not OK, with the time after which the caller should try again.
inline absl::Status WithRetryAfter(absl::Status status, batcher::Duration wait) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  status.SetPayload(kRetryAfterPayload, absl::Cord(absl::StrCat(ms)));
  return status;
}

/// In milliseconds; 0 if the status carries none.
inline uint32_t CarriedRetryAfterMs(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryAfterPayload);
  uint32_t ms = 0;
  return payload && absl::SimpleAtoi(std::string(*payload), &ms) ? ms : 0;
}

}  // namespace bertha::server

#endif  // BERTHA_SERVER_RETRY_AFTER_H_
