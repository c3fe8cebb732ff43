// The files of a package, read so that nothing leads out of it and nothing changes under the reader's hands.
//
// A package comes from elsewhere. Its directory is opened once and its entries relative to it, never through links;
// what was checked is what is read, for each file must stay the one (device, inode, size, times) that was listed. A
// write within the same clock tick of the kernel, some milliseconds, is not seen. Thread-safety: const methods may be
// called by several threads at once.
#ifndef BERTHA_MODELS_PACKAGE_FILES_H_
#define BERTHA_MODELS_PACKAGE_FILES_H_

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bertha::models {

/// A file descriptor that is closed in the end.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.Release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  int get() const { return fd_; }

 private:
  int Release();
  int fd_;
};

/// One file, open for reading.
class PackageFile {
 public:
  PackageFile(FileDescriptor fd, std::string name, const struct stat& listed);

  const std::string& name() const { return name_; }
  size_t size() const { return static_cast<size_t>(listed_.st_size); }
  /// Copies up to `n` bytes from `offset` and returns how many: fewer at the end of the file or if reading fails.
  size_t ReadAt(uint64_t offset, void* buffer, size_t n) const;
  /// DATA_LOSS if this is not the file that was listed, or somebody wrote to it since.
  absl::Status CheckUnchanged() const;

 private:
  FileDescriptor fd_;
  std::string name_;
  struct stat listed_;
};

class Package {
 public:
  /// Lists `dir`. NOT_FOUND if there is no such directory; INVALID_ARGUMENT if it is a link itself or holds anything
  /// but plain files, or a name that is not printable ASCII.
  static absl::StatusOr<Package> Open(const std::string& dir);

  /// Every file's name and what stat(2) said of it.
  const std::map<std::string, struct stat>& files() const { return files_; }

  /// NOT_FOUND; DATA_LOSS if it was replaced since it was listed.
  absl::StatusOr<std::shared_ptr<const PackageFile>> OpenFile(const std::string& name) const;
  /// The whole of a file. Errors as OpenFile; INVALID_ARGUMENT if it is larger than `max_bytes`.
  absl::StatusOr<std::string> Read(const std::string& name, size_t max_bytes) const;

 private:
  explicit Package(FileDescriptor dir) : dir_(std::move(dir)) {}
  absl::Status List();

  FileDescriptor dir_;
  std::map<std::string, struct stat> files_;
};

/// Writes the file `name` of the package in `dir`, replacing an old one in one step: a reader sees the old content or
/// the new, never a part. UNAVAILABLE with the system's reason.
absl::Status ReplaceFile(const std::string& dir, const std::string& name, const std::string& content);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_PACKAGE_FILES_H_
