// Whether a file has changed.
#ifndef BERTHA_SERVER_FILE_FINGERPRINT_H_
#define BERTHA_SERVER_FILE_FINGERPRINT_H_

#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace bertha::server {

/// Another one when the file has been written to or replaced. Empty: there is none. Follows links.
inline std::string FingerprintOf(const std::string& path) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) return "";
  return absl::StrCat(s.st_dev, " ", s.st_ino, " ", s.st_size, " ", s.st_mtim.tv_sec, " ", s.st_mtim.tv_nsec, " ",
                      s.st_ctim.tv_sec, " ", s.st_ctim.tv_nsec);
}

}  // namespace bertha::server

#endif  // BERTHA_SERVER_FILE_FINGERPRINT_H_
