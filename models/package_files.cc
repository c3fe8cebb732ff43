#include "models/package_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;

bool SameTime(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

/// The change time is the kernel's own: unlike the others it cannot be set back.
bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_size == b.st_size &&
         SameTime(a.st_mtim, b.st_mtim) && SameTime(a.st_ctim, b.st_ctim);
}

absl::Status CheckEntry(const std::string& name, const struct stat& entry) {
  if (!std::ranges::all_of(name, absl::ascii_isprint)) {  // it will stand in log lines and replies
    return absl::InvalidArgumentError(
        absl::StrCat(absl::CEscape(name), ": the name of a file has characters beyond printable ASCII"));
  }
  if (!S_ISREG(entry.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": a package holds plain files only, no links or folders"));
  }
  return absl::OkStatus();
}

bool WriteAll(int fd, absl::string_view content) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (fd_ >= 0) close(fd_);
  fd_ = other.Release();
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

int FileDescriptor::Release() { return std::exchange(fd_, -1); }

PackageFile::PackageFile(FileDescriptor fd, std::string name, const struct stat& listed)
    : fd_(std::move(fd)), name_(std::move(name)), listed_(listed) {}

size_t PackageFile::ReadAt(uint64_t offset, void* buffer, size_t n) const {
  size_t done = 0;
  while (done < n) {
    const ssize_t got =
        pread(fd_.get(), static_cast<char*>(buffer) + done, n - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::Status PackageFile::CheckUnchanged() const {
  struct stat now;
  if (fstat(fd_.get(), &now) == 0 && SameFile(now, listed_)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(name_, ": was changed while it was read"));
}

absl::StatusOr<Package> Package::Open(const std::string& dir) {
  FileDescriptor fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.get() < 0) {
    const int reason = errno;
    std::error_code error;
    if (fs::is_symlink(dir, error)) return absl::InvalidArgumentError(absl::StrCat(dir, ": is a link"));
    return absl::NotFoundError(absl::StrCat(dir, ": ", std::strerror(reason)));
  }
  Package package(std::move(fd));
  if (absl::Status status = package.List(); !status.ok()) return status;
  return package;
}

absl::Status Package::List() {
  const int copy = fcntl(dir_.get(), F_DUPFD_CLOEXEC, 0);  // closedir closes it
  std::unique_ptr<DIR, int (*)(DIR*)> entries(copy < 0 ? nullptr : fdopendir(copy), closedir);
  if (!entries) return absl::UnavailableError(absl::StrCat("the directory cannot be read: ", std::strerror(errno)));
  errno = 0;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat& listed = files_[name];
    if (fstatat(dir_.get(), name.c_str(), &listed, AT_SYMLINK_NOFOLLOW) != 0) {
      return absl::DataLossError(absl::StrCat(absl::CEscape(name), ": ", std::strerror(errno)));
    }
    errno = 0;
  }
  if (errno != 0) return absl::DataLossError(absl::StrCat("the directory cannot be read: ", std::strerror(errno)));
  for (const auto& [name, entry] : files_) {
    if (absl::Status status = CheckEntry(name, entry); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const PackageFile>> Package::OpenFile(const std::string& name) const {
  const auto listed = files_.find(name);
  if (listed == files_.end()) return absl::NotFoundError(absl::StrCat(name, ": ", std::strerror(ENOENT)));
  // Not to wait for a writer, should it be a pipe by now.
  FileDescriptor fd(openat(dir_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd.get() < 0) return absl::NotFoundError(absl::StrCat(name, ": cannot be read: ", std::strerror(errno)));
  auto file = std::make_shared<const PackageFile>(std::move(fd), name, listed->second);
  if (absl::Status status = file->CheckUnchanged(); !status.ok()) return status;
  return file;
}

absl::StatusOr<std::string> Package::Read(const std::string& name, size_t max_bytes) const {
  absl::StatusOr<std::shared_ptr<const PackageFile>> file = OpenFile(name);
  if (!file.ok()) return file.status();
  const size_t size = (*file)->size();
  if (size > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": has ", size, " bytes, at most ", max_bytes, " are allowed"));
  }
  std::string content(size, '\0');
  if ((*file)->ReadAt(0, content.data(), size) != size) {
    return absl::DataLossError(absl::StrCat(name, ": reading failed"));
  }
  if (absl::Status status = (*file)->CheckUnchanged(); !status.ok()) return status;
  return content;
}

absl::Status ReplaceFile(const std::string& dir, const std::string& name, const std::string& content) {
  std::error_code error;
  const std::string target = absl::StrCat(dir, "/", name);
  // Beside the package, not in it: whatever is in it belongs to it.
  const std::string temporary = absl::StrCat(fs::canonical(dir, error).string(), ".", name, ".tmp");
  if (error) return absl::UnavailableError(absl::StrCat(dir, ": ", error.message()));
  unlink(temporary.c_str());  // what a killed process left
  {
    FileDescriptor fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (fd.get() < 0 || !WriteAll(fd.get(), content)) {
      return absl::UnavailableError(absl::StrCat(temporary, ": cannot be written: ", std::strerror(errno)));
    }
  }
  fs::rename(temporary, target, error);
  if (error) return absl::UnavailableError(absl::StrCat(target, ": ", error.message()));
  return absl::OkStatus();
}

}  // namespace bertha::models
