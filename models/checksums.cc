#include "models/checksums.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

/// Hex digest of the file `name` in `dir`.
absl::StatusOr<std::string> Sha256OfFile(const std::string& dir, const std::string& name) {
  File file(std::fopen(absl::StrCat(dir, "/", name).c_str(), "rb"));
  if (!file) return absl::NotFoundError(absl::StrCat(name, ": cannot be read"));
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return absl::InternalError(absl::StrCat(name, ": OpenSSL offers no SHA-256"));
  }
  std::vector<char> buffer(1 << 18);
  size_t n;
  while ((n = std::fread(buffer.data(), 1, buffer.size(), file.get())) > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), n);
  }
  if (std::ferror(file.get())) return absl::DataLossError(absl::StrCat(name, ": reading failed"));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(context.get(), digest, &length);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) absl::StrAppend(&hex, absl::Hex(digest[i], absl::kZeroPad2));
  return hex;
}

/// Names of all files but SHA256SUMS; refuses anything that could lead out of the package.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& dir) {
  std::error_code error;
  fs::directory_iterator entries(dir, error);
  if (error) return absl::NotFoundError(absl::StrCat(dir, ": ", error.message()));
  std::vector<std::string> names;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (std::ranges::any_of(name, absl::ascii_iscntrl)) {
      return absl::InvalidArgumentError(
          absl::StrCat(absl::CEscape(name), ": the name of a file has control characters"));
    }
    if (!fs::is_regular_file(entries->symlink_status(error))) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": a package holds plain files only, no links or folders"));
    }
    if (name != kSumsFile) names.push_back(name);
  }
  if (error) return absl::DataLossError(absl::StrCat(dir, ": ", error.message()));
  std::sort(names.begin(), names.end());
  return names;
}

using Sums = std::map<std::string, std::string>;  // name -> hex

absl::StatusOr<Sums> ParseSums(const std::string& text) {
  Sums sums;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const bool well_formed = line.size() > 66 && line.find_first_not_of("0123456789abcdef") == 64 && line[64] == ' ' &&
                             (line[65] == ' ' || line[65] == '*');
    if (!well_formed || !sums.emplace(line.substr(66), line.substr(0, 64)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(kSumsFile, ": line ", number, " is not \"<sha256>  <name>\", or names a file again"));
    }
  }
  return sums;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const std::string name = fs::path(path).filename().string();
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  if (error) return absl::NotFoundError(absl::StrCat(name, ": ", error.message()));
  if (size > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": has ", size, " bytes, at most ", max_bytes, " are allowed"));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(size, '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    return absl::DataLossError(absl::StrCat(name, ": reading failed"));
  }
  return text;
}

absl::Status VerifySums(const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> files = ListFiles(dir);
  if (!files.ok()) return files.status();
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat(dir, "/", kSumsFile), 1 << 20);
  if (!text.ok()) return text.status();
  absl::StatusOr<Sums> sums = ParseSums(*text);
  if (!sums.ok()) return sums.status();
  for (const std::string& name : *files) {
    auto listed = sums->find(name);
    if (listed == sums->end()) {
      return absl::DataLossError(absl::StrCat(name, ": not listed in ", kSumsFile,
                                              "; remove it, or run `bertha package seal` if it belongs here"));
    }
    absl::StatusOr<std::string> sum = Sha256OfFile(dir, name);
    if (!sum.ok()) return sum.status();
    if (*sum != listed->second) {
      return absl::DataLossError(absl::StrCat(name, ": does not match its checksum in ", kSumsFile,
                                              "; the file is damaged or was changed after sealing"));
    }
    sums->erase(listed);
  }
  if (!sums->empty()) {
    return absl::DataLossError(absl::StrCat(sums->begin()->first, ": listed in ", kSumsFile, " but missing"));
  }
  return absl::OkStatus();
}

absl::Status SealSums(const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> files = ListFiles(dir);
  if (!files.ok()) return files.status();
  std::string text;
  for (const std::string& name : *files) {
    absl::StatusOr<std::string> sum = Sha256OfFile(dir, name);
    if (!sum.ok()) return sum.status();
    absl::StrAppend(&text, *sum, "  ", name, "\n");
  }
  // Written beside the package and moved in: a reader sees the old sums or the new ones, never a part.
  std::error_code error;
  const std::string target = absl::StrCat(dir, "/", kSumsFile);
  const std::string temporary = absl::StrCat(fs::canonical(dir, error).string(), ".", kSumsFile, ".tmp");
  if (error) return absl::UnavailableError(absl::StrCat(dir, ": ", error.message()));
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text;
    if (!file.flush()) return absl::UnavailableError(absl::StrCat(temporary, ": cannot be written"));
  }
  fs::rename(temporary, target, error);
  if (error) return absl::UnavailableError(absl::StrCat(target, ": ", error.message()));
  return absl::OkStatus();
}

}  // namespace bertha::models
