// Writing what a command was asked to leave in a file.
#ifndef BERTHA_CLIENTS_CLI_WRITE_FILE_H_
#define BERTHA_CLIENTS_CLI_WRITE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bertha::cli {

/// Replaces the file. The error names it.
absl::Status WriteFile(const std::string& path, absl::string_view contents);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_WRITE_FILE_H_
