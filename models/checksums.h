// SHA256SUMS: the promise that a package is whole. The file has the format of sha256sum(1), FIPS 180-4 hashes in hex.
#ifndef BERTHA_MODELS_CHECKSUMS_H_
#define BERTHA_MODELS_CHECKSUMS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bertha::models {

inline constexpr char kSumsFile[] = "SHA256SUMS";

/// Checks that `dir` holds plain files only, that SHA256SUMS lists each of them once, and that every sum is right.
/// NOT_FOUND if there is no such directory or no SHA256SUMS; DATA_LOSS naming the file that is missing, not listed or
/// changed; INVALID_ARGUMENT if SHA256SUMS itself or an entry of the directory is malformed.
absl::Status VerifySums(const std::string& dir);

/// Writes SHA256SUMS over all files of `dir`, replacing an old one in one step. Errors as above, or the system's.
absl::Status SealSums(const std::string& dir);

/// The whole of a file, up to `max_bytes`. NOT_FOUND, INVALID_ARGUMENT if it is larger.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_CHECKSUMS_H_
