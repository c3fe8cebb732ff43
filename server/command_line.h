// The command line: `--queue-max-requests N` for the key `queue.max_requests`. It wins over the file that --config
// names.
//
// Thread-safety: a pure function, but for the file.
#ifndef BERTHA_SERVER_COMMAND_LINE_H_
#define BERTHA_SERVER_COMMAND_LINE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"

namespace bertha::server {

/// What main() should do.
struct ParsedCommandLine {
  /// Valid, see Validate.
  Config config;
  /// Set if the process should print this and exit: --help, --version, --check-config.
  std::optional<std::string> print;
};

/// INVALID_ARGUMENT with one line that names the flag, or the file, line and key, and what was expected.
absl::StatusOr<ParsedCommandLine> ParseCommandLine(int argc, const char* const* argv);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_COMMAND_LINE_H_
