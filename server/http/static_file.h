// A file that is part of the program. cmake/BerthaEmbed.cmake makes lists of them, at build time, of folders.
#ifndef BERTHA_SERVER_HTTP_STATIC_FILE_H_
#define BERTHA_SERVER_HTTP_STATIC_FILE_H_

#include "absl/strings/string_view.h"

namespace bertha::server {

struct StaticFile {
  /// Below the folder, e.g. "js/app.js".
  absl::string_view name;
  absl::string_view content_type;
  /// Of the contents, hexadecimal.
  absl::string_view digest;
  absl::string_view bytes;
  /// Empty if gzip does not make it smaller.
  absl::string_view gzip;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_STATIC_FILE_H_
