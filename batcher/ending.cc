#include "batcher/ending.h"

namespace bertha::batcher {

absl::Status StatusOf(Ending why) {
  switch (why) {
    case Ending::kExpired:
      return absl::DeadlineExceededError("the deadline passed while the request waited; it was not computed");
    case Ending::kTooLate:
      return absl::DeadlineExceededError("too late to be computed by the deadline; it was not tried");
    case Ending::kShed:
      return absl::ResourceExhaustedError("overloaded: it waited too long and was not computed; try again later");
    case Ending::kEvicted:
      return absl::ResourceExhaustedError(
          "overloaded: it made room for a higher priority or another model; try again later");
    case Ending::kCancelled:
      return absl::CancelledError("cancelled by the caller; it was not computed");
    case Ending::kStopped:
      return absl::UnavailableError("the server is shutting down; try another one");
    case Ending::kStuck:
      return absl::UnavailableError("the engine does not answer; try another server");
  }
  return absl::InternalError("unknown ending");
}

}  // namespace bertha::batcher
