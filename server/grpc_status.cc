#include "server/grpc_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tokenizer/utf8.h"

namespace bertha::server {
namespace {

std::string Shortened(absl::string_view text) {
  constexpr absl::string_view kCut = "...";
  constexpr size_t kMostBytes = 2048;
  if (text.size() <= kMostBytes) return std::string(text);
  return absl::StrCat(tokenizer::Utf8Prefix(text, kMostBytes - kCut.size()), kCut);
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), Shortened(status.message()));
}

}  // namespace bertha::server
