// What the table of settings cannot say of a configuration: the form of texts, and values that contradict each other.
//
// Thread-safety: pure functions.
#ifndef BERTHA_SERVER_CONFIG_VALIDATION_H_
#define BERTHA_SERVER_CONFIG_VALIDATION_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config.h"

namespace bertha::server {

/// Looks at values only, not at the files that they name. INVALID_ARGUMENT names the key, or both keys of a
/// contradiction, and what to do.
absl::Status Validate(const Config& config);

/// `models.weights` as numbers by model name. INVALID_ARGUMENT names what is wrong.
absl::StatusOr<std::map<std::string, double>> ParseWeights(const std::string& text);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CONFIG_VALIDATION_H_
