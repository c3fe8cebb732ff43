#include "server/trace.h"

#include <algorithm>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

constexpr size_t kLongestId = 128;
/// version "-" trace-id "-" parent-id "-" flags
constexpr size_t kTraceId = 3, kTraceIdSize = 32, kParentId = 36, kParentIdSize = 16, kFlags = 53, kSize = 55;

bool IsHex(absl::string_view text) {
  return std::ranges::all_of(text, [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsHexId(absl::string_view text) {
  return IsHex(text) && std::ranges::any_of(text, [](char c) { return c != '0'; });
}

bool IsRequestId(absl::string_view id) {
  const auto fits = [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("-_.:/+=@").find(c) != absl::string_view::npos;
  };
  return !id.empty() && id.size() <= kLongestId && std::ranges::all_of(id, fits);
}

}  // namespace

bool IsTraceparent(absl::string_view header) {
  if (header.size() < kSize || header[2] != '-' || header[35] != '-' || header[52] != '-') return false;
  const absl::string_view version = header.substr(0, 2);
  if (!IsHex(version) || version == "ff") return false;
  if (header.size() > kSize && (version == "00" || header[kSize] != '-')) return false;
  return IsHexId(header.substr(kTraceId, kTraceIdSize)) && IsHexId(header.substr(kParentId, kParentIdSize)) &&
         IsHex(header.substr(kFlags, 2));
}

std::string RequestIdFor(absl::string_view given, absl::string_view traceparent) {
  if (IsRequestId(given)) return std::string(given);
  if (IsTraceparent(traceparent)) return std::string(traceparent.substr(kTraceId, kTraceIdSize));
  thread_local absl::BitGen random;
  const auto digits = [] { return absl::Hex(absl::Uniform<uint64_t>(random), absl::kZeroPad16); };
  return absl::StrCat(digits(), digits());
}

}  // namespace bertha::server
