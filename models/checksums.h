// SHA256SUMS: the promise that a package is whole. The file has the format of sha256sum(1), FIPS 180-4 hashes in hex.
#ifndef BERTHA_MODELS_CHECKSUMS_H_
#define BERTHA_MODELS_CHECKSUMS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/package_files.h"

namespace bertha::models {

inline constexpr char kSumsFile[] = "SHA256SUMS";

/// Checks that SHA256SUMS lists each file of the package once, and that every sum is right. NOT_FOUND if there is no
/// SHA256SUMS; DATA_LOSS naming the file that is missing, not listed or changed; INVALID_ARGUMENT if SHA256SUMS itself
/// is malformed.
absl::Status VerifySums(const Package& package);

/// VerifySums for every package of a model directory; no module is run. Returns their directories in order. Those
/// without SHA256SUMS are still being written and are passed over. An error names the directory that is to blame: what
/// VerifySums or Package::Open say of the first bad package, NOT_FOUND if there is no package, the system's if one
/// cannot be listed.
absl::StatusOr<std::vector<std::string>> VerifyAllSums(const std::string& models_dir);

/// Writes SHA256SUMS over all files of `dir`, replacing an old one in one step. Errors of Package::Open, or the
/// system's.
absl::Status SealSums(const std::string& dir);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_CHECKSUMS_H_
