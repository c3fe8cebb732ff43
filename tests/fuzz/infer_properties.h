// What must hold of a ModelInferRequest that came from outside, and of the error if it is refused. Each function aborts
// (FUZZ_CHECK) if it does not.
#ifndef BERTHA_TESTS_FUZZ_INFER_PROPERTIES_H_
#define BERTHA_TESTS_FUZZ_INFER_PROPERTIES_H_

#include "absl/status/status.h"
#include "inference/grpc_service.pb.h"

namespace bertha::server::oip::fuzz {

/// INVALID_ARGUMENT, and one line of UTF-8.
void CheckRefusal(const absl::Status& status);

/// Each tensor is refused, or read to the elements that the message has, as many as its shape says; as texts or as
/// integers, never as both.
void CheckTensors(const inference::ModelInferRequest& request);

}  // namespace bertha::server::oip::fuzz

#endif  // BERTHA_TESTS_FUZZ_INFER_PROPERTIES_H_
