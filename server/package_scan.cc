#include "server/package_scan.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "models/checksums.h"

namespace bertha::server {
namespace {

namespace fs = std::filesystem;

bool IsModelName(const std::string& name) {
  auto word = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 128 && std::isalnum(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(name, word);
}

std::optional<int64_t> ParseVersion(const std::string& text) {
  int64_t version = 0;
  // SimpleAtoi alone would take spaces and a sign: "1" and "1 " would be the same version.
  if (text.empty() || text[0] == '0' || !std::ranges::all_of(text, absl::ascii_isdigit)) return std::nullopt;
  if (!absl::SimpleAtoi(text, &version)) return std::nullopt;
  return version;
}

void ScanVersions(const fs::path& model_dir, ScanResult& result) {
  std::error_code listing, error;
  fs::directory_iterator entries(model_dir, listing);
  for (; entries != fs::directory_iterator(); entries.increment(listing)) {
    const fs::directory_entry& entry = *entries;
    if (!entry.is_directory(error)) continue;
    const std::optional<int64_t> version = ParseVersion(entry.path().filename().string());
    if (!version) {
      result.passed_over.push_back(
          absl::StrCat(entry.path().string(), ": passed over, its name is no version (1, 2, ...)"));
    } else if (!fs::exists(entry.path() / models::kSumsFile, error)) {
      result.passed_over.push_back(
          absl::StrCat(entry.path().string(), ": passed over, it has no ", models::kSumsFile, " yet"));
    } else {
      result.packages.push_back({{model_dir.filename().string(), *version}, entry.path().string()});
    }
  }
  if (listing) {
    result.passed_over.push_back(absl::StrCat(model_dir.string(), ": cannot be listed: ", listing.message()));
  }
}

}  // namespace

absl::StatusOr<ScanResult> ScanPackages(const std::string& models_dir) {
  std::error_code listing, error;
  fs::directory_iterator entries(models_dir, listing);
  ScanResult result;
  for (; entries != fs::directory_iterator(); entries.increment(listing)) {
    const fs::directory_entry& entry = *entries;
    if (!entry.is_directory(error)) continue;
    if (IsModelName(entry.path().filename().string())) {
      ScanVersions(entry.path(), result);
    } else {
      result.passed_over.push_back(
          absl::StrCat(entry.path().string(), ": passed over, its name is no model name ([A-Za-z0-9._-])"));
    }
  }
  if (listing) return absl::NotFoundError(absl::StrCat(models_dir, ": ", listing.message()));
  std::ranges::sort(result.packages, {}, &FoundPackage::key);
  return result;
}

}  // namespace bertha::server
