// A call under way, as its transport sees it.
#ifndef BERTHA_SERVER_OPERATION_H_
#define BERTHA_SERVER_OPERATION_H_

#include <functional>

#include "absl/status/status.h"

namespace bertha::server {

/// Called exactly once, on the caller's thread before the call has been started or later on another one; must not
/// block.
using Done = std::function<void(const absl::Status&)>;

class Operation {
 public:
  virtual ~Operation() = default;
  /// Nobody waits for it any more: ends it with CANCELLED, unless it ends by itself first. From any thread, at any
  /// time.
  virtual void Cancel() = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_OPERATION_H_
