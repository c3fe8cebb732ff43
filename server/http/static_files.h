// Files that are part of the program: the web page.
//
// cmake/BerthaEmbed.cmake makes the list, at build time, of a folder. They are sent without being copied, gzipped to
// those who take it, and not again to those who have them (ETag).
//
// Thread-safety: const data and pure functions.
#ifndef BERTHA_SERVER_HTTP_STATIC_FILES_H_
#define BERTHA_SERVER_HTTP_STATIC_FILES_H_

#include <span>

#include "absl/strings/string_view.h"
#include "server/http/http_message.h"
#include "server/http/http_router.h"

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

/// 200 or 304. HTML may load nothing but what this server has, and may stand in no frame.
HttpResponse ServeStaticFile(const StaticFile& file, const HttpRequest& request);

/// GET /name for each; index.html is also /.
void AddStaticFiles(std::span<const StaticFile> files, HttpRouter& router);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_STATIC_FILES_H_
