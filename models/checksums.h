// SHA256SUMS: the promise that a package is whole. The file has the format of sha256sum(1), FIPS 180-4 hashes in hex.
#ifndef BERTHA_MODELS_CHECKSUMS_H_
#define BERTHA_MODELS_CHECKSUMS_H_

#include <string>

#include "absl/status/status.h"
#include "models/package_files.h"

namespace bertha::models {

inline constexpr char kSumsFile[] = "SHA256SUMS";

/// Checks that SHA256SUMS lists each file of the package once, and that every sum is right. NOT_FOUND if there is no
/// SHA256SUMS; DATA_LOSS naming the file that is missing, not listed or changed; INVALID_ARGUMENT if SHA256SUMS itself
/// is malformed.
absl::Status VerifySums(const Package& package);

/// Writes SHA256SUMS over all files of `dir`, replacing an old one in one step. Errors of Package::Open, or the
/// system's.
absl::Status SealSums(const std::string& dir);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_CHECKSUMS_H_
