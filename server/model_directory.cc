#include "server/model_directory.h"

#include <set>

namespace bertha::server {

DirectoryChanges ModelDirectory::Observe(const ScanResult& scan, const std::function<bool(const ModelKey&)>& at_once) {
  DirectoryChanges changes;
  std::set<ModelKey> there;
  for (const FoundPackage& package : scan.packages) {
    there.insert(package.key);
    Known& known = known_[package.key];
    const bool still = package.fingerprint == known.seen || at_once(package.key);
    if (package.sealed() && package.fingerprint != known.tried && still) {
      known.tried = package.fingerprint;
      changes.load.push_back(package);
    }
    known.seen = package.fingerprint;
    known.missing = false;
  }
  for (auto it = known_.begin(); it != known_.end();) {
    const auto& [key, known] = *it;
    if (there.contains(key) || scan.unreadable.contains(key.name)) {
      ++it;
    } else if (known.missing || at_once(key)) {
      changes.remove.push_back(key);
      it = known_.erase(it);
    } else {
      it->second.missing = true;
      it->second.seen.clear();
      ++it;
    }
  }
  return changes;
}

void ModelDirectory::Forget(const ModelKey& key) {
  if (const auto it = known_.find(key); it != known_.end()) it->second.tried.clear();
}

}  // namespace bertha::server
