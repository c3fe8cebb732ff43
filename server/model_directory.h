// What is to be done when the model directory has changed: the pure part of watching it. No threads, no clock, no
// files.
//
// Contract
//   - A package is loaded when its fingerprint is another one than that which was last loaded or refused, and the same
//   in
//     two scans: one that is being copied or changed is left alone until it holds still. So a package that was refused
//     is not tried again until it changes.
//   - A version is removed when its directory was missing in two scans, and its model could be read. A directory
//   without
//     SHA256SUMS is there: what was loaded from it serves on.
//   - Loads come before removals: a successor serves when its predecessor goes.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_SERVER_MODEL_DIRECTORY_H_
#define BERTHA_SERVER_MODEL_DIRECTORY_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/model_table.h"
#include "server/package_scan.h"

namespace bertha::server {

/// What a new scan asks for.
struct DirectoryChanges {
  std::vector<FoundPackage> load;
  std::vector<ModelKey> remove;
};

class ModelDirectory {
 public:
  /// Compares with what was seen before. `at_once`: packages for which one scan is enough. What is in `load` counts as
  /// tried, whatever becomes of it.
  DirectoryChanges Observe(const ScanResult& scan, const std::function<bool(const ModelKey&)>& at_once);

  /// The next Observe loads it even if it has not changed.
  void Forget(const ModelKey& key);

 private:
  struct Known {
    /// In the last scan; empty if it was missing or had no SHA256SUMS.
    std::string seen;
    bool missing = false;
    /// That was last loaded or refused.
    std::string tried;
  };
  std::map<ModelKey, Known> known_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_DIRECTORY_H_
