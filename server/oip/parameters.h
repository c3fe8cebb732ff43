// The parameters of an Open Inference Protocol message: a map of names to numbers, strings and truth values.
//
// Thread-safety: free functions without state.
#ifndef BERTHA_SERVER_OIP_PARAMETERS_H_
#define BERTHA_SERVER_OIP_PARAMETERS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "inference/grpc_service.pb.h"

namespace bertha::server::oip {

using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

/// A number that is not negative, of either integer type; 0 if it is absent. INVALID_ARGUMENT names the parameter.
inline absl::StatusOr<uint64_t> CountParameter(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return 0;
  const inference::InferParameter& value = found->second;
  if (value.has_uint64_param()) return value.uint64_param();
  if (value.has_int64_param() && value.int64_param() >= 0) return static_cast<uint64_t>(value.int64_param());
  return absl::InvalidArgumentError("parameter \"" + name + "\": expected an integer that is not negative");
}

/// Whether it is there and is neither 0, false nor empty.
inline bool IsSet(const inference::InferParameter& value) {
  return value.bool_param() || value.int64_param() != 0 || value.uint64_param() != 0 || value.double_param() != 0 ||
         !value.string_param().empty();
}

inline bool IsSet(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found != parameters.end() && IsSet(found->second);
}

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_PARAMETERS_H_
