#include "server/grpc_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace bertha::server {
namespace {

std::string Shortened(absl::string_view text) {
  constexpr absl::string_view kCut = "...";
  constexpr size_t kMostBytes = 2048;
  if (text.size() <= kMostBytes) return std::string(text);
  size_t end = kMostBytes - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), kCut);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Shortened(status.message()));
}

}  // namespace bertha::server
