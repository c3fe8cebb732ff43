// Looking at statuses in tests.
#ifndef BERTHA_TESTS_SERVER_STATUSES_H_
#define BERTHA_TESTS_SERVER_STATUSES_H_

#include <string>

#include "absl/status/status.h"
#include "tests/catch.h"

namespace bertha::server {

/// A copy that shares nothing with `status`: abseil counts references in code that ThreadSanitizer cannot see.
inline absl::Status Unshared(const absl::Status& status) { return absl::Status(status.code(), status.message()); }

/// Matches a status by code and by a part of its message.
inline bool Is(const absl::Status& status, absl::StatusCode code, const std::string& part) {
  INFO(status.ToString());
  const bool matches = status.code() == code && std::string(status.message()).find(part) != std::string::npos;
  if (!matches) UNSCOPED_INFO("got " << status.ToString() << ", expected \"" << part << "\"");
  return matches;
}

}  // namespace bertha::server

#endif  // BERTHA_TESTS_SERVER_STATUSES_H_
