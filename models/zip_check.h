// A look at the ZIP archive that a TorchScript file is, before LibTorch reads it.
//
// LibTorch's reader does not compare the archive's CRC-32 sums: a flipped bit in a pickle can make it ask for
// gigabytes. Format: APPNOTE.TXT of PKWARE, 4.3.
#ifndef BERTHA_MODELS_ZIP_CHECK_H_
#define BERTHA_MODELS_ZIP_CHECK_H_

#include "absl/status/status.h"
#include "models/package_files.h"

namespace bertha::models {

/// Checks the sums of the pickles (*.pkl) that are stored uncompressed, as PyTorch stores them. DATA_LOSS names the one
/// that does not match. Weights are left to the probes, all other damage to LibTorch; OK also for what is no archive at
/// all.
absl::Status CheckPickles(const PackageFile& file);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_ZIP_CHECK_H_
