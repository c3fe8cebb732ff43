#include "clients/cli/write_file.h"

#include <cerrno>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace bertha::cli {

absl::Status WriteFile(const std::string& path, absl::string_view contents) {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  file.close();
  if (!file) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

}  // namespace bertha::cli
