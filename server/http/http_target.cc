#include "server/http/http_target.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tokenizer/utf8.h"

namespace bertha::server {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> PercentDecode(absl::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexValue(text[i + 1]), low = HexValue(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  if (out.find('\0') != std::string::npos || tokenizer::FindInvalidUtf8(out) != std::string::npos) return std::nullopt;
  return out;
}

absl::Status Bad(const char* what) { return absl::InvalidArgumentError(what); }

absl::Status ParseQuery(absl::string_view text, HttpRequest& request) {
  for (const absl::string_view item : absl::StrSplit(text, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
    std::optional<std::string> key = DecodeQueryPart(parts.first), value = DecodeQueryPart(parts.second);
    if (!key || !value) return Bad("the query of the request target is not percent-encoded UTF-8");
    request.query.emplace_back(*std::move(key), *std::move(value));
  }
  return absl::OkStatus();
}

/// Cuts scheme and host off a target that has them (as for a proxy).
absl::string_view WithoutAuthority(absl::string_view target) {
  for (const absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(target, scheme)) continue;
    const size_t path = target.find_first_of("/?", scheme.size());
    if (path == absl::string_view::npos) return "/";
    return target.substr(path);
  }
  return target;
}

}  // namespace

std::optional<std::string> DecodePathSegment(absl::string_view text) {
  std::optional<std::string> out = PercentDecode(text, false);
  const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (out && std::ranges::any_of(*out, is_control)) return std::nullopt;
  return out;
}

std::optional<std::string> DecodeQueryPart(absl::string_view text) { return PercentDecode(text, true); }

absl::Status ParseTarget(absl::string_view target, HttpRequest& request) {
  target = WithoutAuthority(target);
  if (target == "*") {
    request.path.assign(1, '*');
    return absl::OkStatus();
  }
  const size_t mark = target.find('?');
  const absl::string_view path = target.substr(0, mark);
  if (path.empty() || path[0] != '/') return Bad("the request target does not start with '/'");
  if (absl::StrContains(target, "#")) return Bad("the request target has a fragment ('#')");
  request.path = std::string(path);
  for (const absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
    std::optional<std::string> decoded = DecodePathSegment(segment);
    if (!decoded) return Bad("the path of the request target is not percent-encoded UTF-8 without control characters");
    request.segments.push_back(*std::move(decoded));
  }
  return mark == absl::string_view::npos ? absl::OkStatus() : ParseQuery(target.substr(mark + 1), request);
}

}  // namespace bertha::server
