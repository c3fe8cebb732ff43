// Why a request left the queue without being computed, and what its caller is told then.
#ifndef BERTHA_BATCHER_ENDING_H_
#define BERTHA_BATCHER_ENDING_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"

namespace bertha::batcher {

struct Request;

enum class Ending : uint8_t {
  kExpired,  // its deadline passed
  kTooLate,  // it could not have ended by its deadline any more
  kShed,     // overload
  kEvicted,  // made room for a higher priority, or for a model that had less
  kCancelled,
  kStopped,  // the server ends
  kStuck,    // the engine does not return
};
inline constexpr size_t kEndings = 7;

struct Ended {
  Request* request = nullptr;
  Ending why = Ending::kExpired;
};

/// The outcome of such a request. Those that are refused because the server ends, or the engine does not return, get
/// the same.
absl::Status StatusOf(Ending why);

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_ENDING_H_
