#include "server/package_scan.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "models/checksums.h"
#include "models/json.h"
#include "models/package_names.h"
#include "tokenizer/read_file.h"

namespace bertha::server {
namespace {

namespace fs = std::filesystem;

constexpr char kLabelsFile[] = "labels.json";
constexpr size_t kMaxSumsBytes = 1 << 20, kMaxLabelsBytes = 1 << 16;

/// A path for the log: one line, whatever its name.
std::string Shown(const fs::path& path) { return absl::CEscape(path.string()); }

/// Fills in fingerprint and size of a package that has SHA256SUMS. False if the directory cannot be read.
bool ReadPackage(FoundPackage& package) {
  std::error_code error;
  fs::directory_iterator entries(package.dir, error);
  std::vector<std::string> files;
  bool sealed = false;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    struct stat status;
    if (lstat(entries->path().c_str(), &status) != 0) return false;
    const std::string name = entries->path().filename().string();
    files.push_back(absl::StrCat(name, "\n", status.st_mode, " ", status.st_size, " ", status.st_mtim.tv_sec, ".",
                                 status.st_mtim.tv_nsec, "\n"));
    package.bytes += static_cast<uint64_t>(status.st_size);
    sealed |= name == models::kSumsFile && S_ISREG(status.st_mode);
  }
  if (error) return false;
  if (!sealed) return true;
  absl::StatusOr<std::string> sums =
      tokenizer::ReadFile(absl::StrCat(package.dir, "/", models::kSumsFile), kMaxSumsBytes);
  if (sums.ok()) files.push_back(*sums);  // if not, the package will be refused when it is loaded
  std::ranges::sort(files);
  for (const std::string& file : files) package.fingerprint += file;
  return true;
}

absl::StatusOr<VersionLabels> ReadLabels(const fs::path& file) {
  std::error_code error;
  // Opening a pipe would wait for a writer.
  if (!fs::is_regular_file(file, error)) {
    return absl::InvalidArgumentError(absl::StrCat(kLabelsFile, ": is no plain file"));
  }
  absl::StatusOr<std::string> text = tokenizer::ReadFile(file.string(), kMaxLabelsBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<nlohmann::json> json = models::ParseJsonObject(*text);
  if (!json.ok()) return absl::Status(json.status().code(), absl::StrCat(kLabelsFile, ": ", json.status().message()));
  VersionLabels labels;
  for (const auto& [label, version] : json->items()) {
    const bool known = version.is_number_integer() && version >= 1 && version <= INT64_MAX;
    if (!models::IsModelName(label) || !known) {
      return absl::InvalidArgumentError(
          absl::StrCat(kLabelsFile, ": \"", absl::CEscape(label),
                       "\": ", known ? "is no label ([A-Za-z0-9._-])" : "its version is no number from 1"));
    }
    labels[label] = version.get<int64_t>();
  }
  return labels;
}

/// What is made ready beside the packages before it is renamed, as bertha-export does it.
bool IsHidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

void ScanLabels(const fs::path& model_dir, ScanResult& result) {
  const std::string name = model_dir.filename().string();
  const fs::path file = model_dir / kLabelsFile;
  struct stat status;
  if (stat(file.c_str(), &status) != 0 && errno == ENOENT) return;
  absl::StatusOr<VersionLabels> labels = ReadLabels(file);
  if (labels.ok()) {
    result.labels[name] = *std::move(labels);
  } else {
    result.unreadable_labels.insert(name);
    result.passed_over.push_back(
        absl::StrCat(Shown(model_dir), ": ", labels.status().message(), "; the labels stay as they were"));
  }
}

void ScanVersions(const fs::path& model_dir, ScanResult& result) {
  const std::string name = model_dir.filename().string();
  std::error_code listing, error;
  fs::directory_iterator entries(model_dir, listing);
  for (; !listing && entries != fs::directory_iterator(); entries.increment(listing)) {
    const fs::directory_entry& entry = *entries;
    const bool is_directory = entry.is_directory(error);
    const std::optional<int64_t> version = models::ParseVersion(entry.path().filename().string());
    if (error && version) {  // a link to nowhere, say
      result.unreadable.insert(name);
      result.passed_over.push_back(absl::StrCat(Shown(entry.path()), ": cannot be read: ", error.message()));
    }
    if (!is_directory || IsHidden(entry.path())) continue;
    if (!version) {
      result.passed_over.push_back(
          absl::StrCat(Shown(entry.path()), ": passed over, its name is no version (1, 2, ...)"));
      continue;
    }
    FoundPackage package{{name, *version}, entry.path().string()};
    if (!ReadPackage(package)) {
      result.unreadable.insert(name);
      result.passed_over.push_back(absl::StrCat(Shown(entry.path()), ": passed over, it cannot be read"));
      continue;
    }
    if (!package.sealed()) {
      result.passed_over.push_back(
          absl::StrCat(Shown(entry.path()), ": passed over, it has no ", models::kSumsFile, " yet"));
    }
    result.packages.push_back(std::move(package));
  }
  if (listing) {
    result.unreadable.insert(name);
    result.passed_over.push_back(absl::StrCat(Shown(model_dir), ": cannot be listed: ", listing.message()));
  }
}

}  // namespace

absl::StatusOr<ScanResult> ScanPackages(const std::string& models_dir) {
  std::error_code listing, error;
  fs::directory_iterator entries(models_dir, listing);
  ScanResult result;
  for (; !listing && entries != fs::directory_iterator(); entries.increment(listing)) {
    const fs::directory_entry& entry = *entries;
    const std::string name = entry.path().filename().string();
    result.empty = false;
    if (!entry.is_directory(error)) {
      if (!error) continue;
      result.unreadable.insert(name);
      result.passed_over.push_back(absl::StrCat(Shown(entry.path()), ": cannot be read: ", error.message()));
      continue;
    }
    if (IsHidden(entry.path())) continue;
    if (models::IsModelName(name)) {
      ScanVersions(entry.path(), result);
      ScanLabels(entry.path(), result);
    } else {
      result.passed_over.push_back(
          absl::StrCat(Shown(entry.path()), ": passed over, its name is no model name ([A-Za-z0-9._-])"));
    }
  }
  if (listing) return absl::NotFoundError(absl::StrCat(models_dir, ": ", listing.message()));
  std::ranges::sort(result.packages, {}, &FoundPackage::key);
  std::ranges::sort(result.passed_over);
  return result;
}

}  // namespace bertha::server
