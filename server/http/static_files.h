// Files that are part of the program: the web page.
//
// cmake/BerthaEmbed.cmake makes the list, at build time, of a folder. They are sent without being copied, gzipped to
// those who take it, and not again to those who have them (ETag).
//
// Thread-safety: const data and pure functions.
#ifndef BERTHA_SERVER_HTTP_STATIC_FILES_H_
#define BERTHA_SERVER_HTTP_STATIC_FILES_H_

#include <span>

#include "server/http/http_message.h"
#include "server/http/http_router.h"
#include "server/http/static_file.h"

namespace bertha::server {

/// 200 or 304. HTML may load nothing but what this server has, and may stand in no frame.
HttpResponse ServeStaticFile(const StaticFile& file, const HttpRequest& request);

/// GET /name for each; index.html is also /.
void AddStaticFiles(std::span<const StaticFile> files, HttpRouter& router);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_STATIC_FILES_H_
