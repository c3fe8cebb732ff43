// Everything of a package but its network, read and checked as docs/package.md says: steps 1 to 3.
//
// Thread-safety: free functions; what they return is the caller's.
#ifndef BERTHA_MODELS_PACKAGE_CONTENTS_H_
#define BERTHA_MODELS_PACKAGE_CONTENTS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "models/manifest.h"
#include "models/package_files.h"
#include "models/probes.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

inline constexpr char kManifestFile[] = "bertha.json";
inline constexpr char kTokenizerFile[] = "tokenizer.json";
inline constexpr char kModuleFile[] = "model.pt";

/// Largest sizes in bytes. A larger file is not read.
inline constexpr size_t kMaxManifestBytes = 1 << 20;
inline constexpr size_t kMaxTokenizerBytes = 64 << 20;
inline constexpr size_t kMaxProbesBytes = 64 << 20;

struct PackageContents {
  Package files;
  Manifest manifest;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  std::vector<Probe> probes;
};

/// Verifies the sums before anything else is looked at. The message of an error is one line that begins with the name
/// of the file that is to blame.
absl::StatusOr<PackageContents> ReadPackage(const std::string& dir);

/// The same for a package that is still being made: it has neither sums nor probes yet, or they are not looked at.
absl::StatusOr<PackageContents> ReadUnfinishedPackage(const std::string& dir);

/// `status` with the name of the file before its message.
absl::Status Blame(absl::string_view file, const absl::Status& status);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_PACKAGE_CONTENTS_H_
