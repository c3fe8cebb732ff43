// The target of a request line, taken apart.
//
// Source: RFC 3986 (percent-encoding), RFC 9112 section 3.2 (forms of a target). Thread-safety: pure functions.
#ifndef BERTHA_SERVER_HTTP_HTTP_TARGET_H_
#define BERTHA_SERVER_HTTP_HTTP_TARGET_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/http/http_message.h"

namespace bertha::server {

/// Nothing if a '%' is not followed by two hexadecimal digits, or if what comes out is no UTF-8, has a NUL or, in a
/// path, another control character: such a name can only be meant to confuse whoever reads it next.
std::optional<std::string> DecodePathSegment(absl::string_view text);
/// The same for a key or a value of the query, where '+' is a space and text may have several lines.
std::optional<std::string> DecodeQueryPart(absl::string_view text);

/// Fills path, segments and query. Takes /path?query, http://host/path?query and *. INVALID_ARGUMENT says what is
/// wrong.
absl::Status ParseTarget(absl::string_view target, HttpRequest& request);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_HTTP_HTTP_TARGET_H_
