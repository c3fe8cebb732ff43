#include "models/checksums.h"

#include <openssl/evp.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "models/package_names.h"

namespace bertha::models {
namespace {

constexpr size_t kMaxSumsBytes = 1 << 20;

/// Hex digest of the file `name`.
absl::StatusOr<std::string> Sha256OfFile(const Package& package, const std::string& name) {
  absl::StatusOr<std::shared_ptr<const PackageFile>> file = package.OpenFile(name);
  if (!file.ok()) return file.status();
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return absl::InternalError(absl::StrCat(name, ": OpenSSL offers no SHA-256"));
  }
  std::vector<char> buffer(1 << 18);
  const size_t size = (*file)->size();
  size_t done = 0;
  while (done < size) {
    const size_t n = (*file)->ReadAt(done, buffer.data(), std::min(buffer.size(), size - done));
    if (n == 0) return absl::DataLossError(absl::StrCat(name, ": reading failed"));
    EVP_DigestUpdate(context.get(), buffer.data(), n);
    done += n;
  }
  if (absl::Status status = (*file)->CheckUnchanged(); !status.ok()) return status;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest, &length);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) absl::StrAppend(&hex, absl::Hex(digest[i], absl::kZeroPad2));
  return hex;
}

using Sums = std::map<std::string, std::string>;  // name -> hex

absl::StatusOr<Sums> ParseSums(const std::string& text) {
  Sums sums;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const bool well_formed = line.size() > 66 && line.size() <= 66 + NAME_MAX &&
                             line.find_first_not_of("0123456789abcdef") == 64 && line[64] == ' ' &&
                             (line[65] == ' ' || line[65] == '*');
    if (!well_formed || !sums.emplace(line.substr(66), line.substr(0, 64)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(kSumsFile, ": line ", number, " is not \"<sha256>  <name>\", or names a file again"));
    }
  }
  return sums;
}

/// Names of the directories in `dir` that `wanted` takes, sorted.
absl::StatusOr<std::vector<std::string>> ListDirectories(const std::string& dir,
                                                         absl::FunctionRef<bool(const std::string&)> wanted) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entries(dir, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code no_directory;
    if (wanted(name) && entries->is_directory(no_directory)) names.push_back(name);
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(dir, ": cannot be listed"));
  std::ranges::sort(names);
  return names;
}

/// Every <name>/<version> with SHA256SUMS.
absl::StatusOr<std::vector<std::string>> SealedPackages(const std::string& models_dir) {
  const auto is_version = [](const std::string& name) { return ParseVersion(name).has_value(); };
  absl::StatusOr<std::vector<std::string>> names = ListDirectories(models_dir, IsModelName);
  if (!names.ok()) return names.status();
  std::vector<std::string> packages;
  for (const std::string& name : *names) {
    const std::string model = absl::StrCat(models_dir, "/", name);
    absl::StatusOr<std::vector<std::string>> versions = ListDirectories(model, is_version);
    if (!versions.ok()) return versions.status();
    for (const std::string& version : *versions) {
      std::string package = absl::StrCat(model, "/", version);
      std::error_code error;
      if (std::filesystem::exists(absl::StrCat(package, "/", kSumsFile), error)) packages.push_back(std::move(package));
    }
  }
  return packages;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> VerifyAllSums(const std::string& models_dir) {
  absl::StatusOr<std::vector<std::string>> packages = SealedPackages(models_dir);
  if (!packages.ok()) return packages.status();
  if (packages->empty()) {
    return absl::NotFoundError(absl::StrCat(models_dir, ": holds no package, <name>/<version>/ with ", kSumsFile));
  }
  for (const std::string& dir : *packages) {
    const absl::StatusOr<Package> package = Package::Open(dir);
    const absl::Status status = package.ok() ? VerifySums(*package) : package.status();
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat(dir, ": ", status.message()));
  }
  return packages;
}

absl::Status VerifySums(const Package& package) {
  absl::StatusOr<std::string> text = package.Read(kSumsFile, kMaxSumsBytes);
  if (!text.ok()) return text.status();
  absl::StatusOr<Sums> sums = ParseSums(*text);
  if (!sums.ok()) return sums.status();
  for (const auto& [name, _] : package.files()) {
    if (name == kSumsFile) continue;
    auto listed = sums->find(name);
    if (listed == sums->end()) {
      return absl::DataLossError(absl::StrCat(name, ": not listed in ", kSumsFile,
                                              "; remove it, or run `bertha package seal` if it belongs here"));
    }
    absl::StatusOr<std::string> sum = Sha256OfFile(package, name);
    if (!sum.ok()) return sum.status();
    if (*sum != listed->second) {
      return absl::DataLossError(absl::StrCat(name, ": does not match its checksum in ", kSumsFile,
                                              "; the file is damaged or was changed after sealing"));
    }
    sums->erase(listed);
  }
  if (!sums->empty()) {
    return absl::DataLossError(
        absl::StrCat(absl::CEscape(sums->begin()->first), ": listed in ", kSumsFile, " but missing"));
  }
  return absl::OkStatus();
}

absl::Status SealSums(const std::string& dir) {
  absl::StatusOr<Package> package = Package::Open(dir);
  if (!package.ok()) return package.status();
  std::string text;
  for (const auto& [name, _] : package->files()) {
    if (name == kSumsFile) continue;
    absl::StatusOr<std::string> sum = Sha256OfFile(*package, name);
    if (!sum.ok()) return sum.status();
    absl::StrAppend(&text, *sum, "  ", name, "\n");
  }
  return ReplaceFile(dir, kSumsFile, text);
}

}  // namespace bertha::models
