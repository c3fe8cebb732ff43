// What lies in the model directory now: <models>/<name>/<version>/ and <models>/<name>/labels.json. Reads names, sizes
// and times, SHA256SUMS and labels.json, nothing else: cheap enough to do every second.
#ifndef BERTHA_SERVER_PACKAGE_SCAN_H_
#define BERTHA_SERVER_PACKAGE_SCAN_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/model_table.h"

namespace bertha::server {

struct FoundPackage {
  ModelKey key;
  std::string dir;
  /// Name, size and time of change of every file, and what SHA256SUMS says: another package, another fingerprint. Empty
  /// while there is no SHA256SUMS, which is written last: the package is still being copied or changed.
  std::string fingerprint;
  /// Of all files.
  uint64_t bytes = 0;

  bool sealed() const { return !fingerprint.empty(); }
};

struct ScanResult {
  /// Not one file or directory is in it.
  bool empty = true;
  /// By name and version.
  std::vector<FoundPackage> packages;
  /// Of each model that has a labels.json that can be understood.
  std::map<std::string, VersionLabels> labels;
  /// Models of which it is not known what they have: their directory, or something in it, could not be read.
  std::set<std::string> unreadable;
  /// Models whose labels.json could not be understood.
  std::set<std::string> unreadable_labels;
  /// Lines for the log: what was passed over, and why.
  std::vector<std::string> passed_over;
};

/// NOT_FOUND if `models_dir` cannot be listed.
absl::StatusOr<ScanResult> ScanPackages(const std::string& models_dir);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_PACKAGE_SCAN_H_
