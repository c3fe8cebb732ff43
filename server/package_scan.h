// Finds packages on disk: <models>/<name>/<version>/.
#ifndef BERTHA_SERVER_PACKAGE_SCAN_H_
#define BERTHA_SERVER_PACKAGE_SCAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/model_table.h"

namespace bertha::server {

struct FoundPackage {
  ModelKey key;
  std::string dir;
};

struct ScanResult {
  /// By name and version.
  std::vector<FoundPackage> packages;
  /// Lines for the log: what was passed over, and why.
  std::vector<std::string> passed_over;
};

/// NOT_FOUND if `models_dir` cannot be listed. A directory without SHA256SUMS is still being written: passed over.
absl::StatusOr<ScanResult> ScanPackages(const std::string& models_dir);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_PACKAGE_SCAN_H_
