// The configuration file: a YAML document, `queue: {max_requests: N}` for the key `queue.max_requests`.
//
// Thread-safety: pure functions.
#ifndef BERTHA_SERVER_CONFIG_FILE_H_
#define BERTHA_SERVER_CONFIG_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "server/config.h"

namespace bertha::server {

/// Reads a YAML document into `config`. INVALID_ARGUMENT names file, line and key, what was expected, and for a key
/// that does not exist the nearest one that does. `name` is that of the file, for errors.
absl::Status ApplyYaml(const std::string& text, const std::string& name, Config& config);

/// The same for the file at `path`.
absl::Status ApplyFile(const std::string& path, Config& config);

/// The configuration as a YAML document that ApplyYaml reads back; a password in it does not show.
std::string ToYaml(const Config& config);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_CONFIG_FILE_H_
