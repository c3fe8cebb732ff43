#include "server/http/static_files.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bertha::server {
namespace {

constexpr char kPolicy[] =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Accept-Encoding names gzip, and not with weight 0 (RFC 9110 section 12.5.3).
bool TakesGzip(absl::string_view accept) {
  for (const absl::string_view item : absl::StrSplit(accept, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits(';', 1));
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts.first), "gzip")) continue;
    absl::string_view weight = absl::StripAsciiWhitespace(parts.second);
    double q = 1;
    if (absl::ConsumePrefix(&weight, "q=") && !absl::SimpleAtod(weight, &q)) return false;
    return q > 0;
  }
  return false;
}

/// If-None-Match names the tag. The comparison is the weak one (RFC 9110 section 13.1.2).
bool HasTag(absl::string_view if_none_match, absl::string_view tag) {
  for (absl::string_view item : absl::StrSplit(if_none_match, ',')) {
    item = absl::StripAsciiWhitespace(item);
    absl::ConsumePrefix(&item, "W/");
    if (item == "*" || item == tag) return true;
  }
  return false;
}

}  // namespace

HttpResponse ServeStaticFile(const StaticFile& file, const HttpRequest& request) {
  const bool gzip = !file.gzip.empty() && TakesGzip(request.headers.Get("Accept-Encoding"));
  const std::string tag = absl::StrCat("\"", file.digest, gzip ? "-gzip" : "", "\"");
  HttpResponse response;
  response.headers = {{"ETag", tag}, {"Cache-Control", "no-cache"}, {"X-Content-Type-Options", "nosniff"}};
  if (!file.gzip.empty()) response.headers.emplace_back("Vary", "Accept-Encoding");
  if (absl::StartsWith(file.content_type, "text/html")) {
    response.headers.emplace_back("Content-Security-Policy", kPolicy);
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("X-Frame-Options", "DENY");
  }
  if (HasTag(request.headers.Get("If-None-Match"), tag)) {
    response.status = 304;
    return response;
  }
  if (gzip) response.headers.emplace_back("Content-Encoding", "gzip");
  response.content_type = std::string(file.content_type);
  response.body = HttpBody::Static(gzip ? file.gzip : file.bytes);
  return response;
}

void AddStaticFiles(std::span<const StaticFile> files, HttpRouter& router) {
  for (const StaticFile& file : files) {
    const HttpHandler handler = [&file](HttpRequest request, std::shared_ptr<HttpReply> reply) {
      reply->Send(ServeStaticFile(file, request));
    };
    router.Add("GET", absl::StrCat("/", file.name), handler);
    if (file.name == "index.html") router.Add("GET", "/", handler);
  }
}

}  // namespace bertha::server
