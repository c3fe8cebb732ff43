#include "server/json_route.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bertha::server {
namespace {

/// "TagTokens" -> "tag-tokens".
std::string Kebab(absl::string_view name) {
  std::string kebab;
  for (const char c : name) {
    if (absl::ascii_isupper(c) && !kebab.empty()) kebab += '-';
    kebab += absl::ascii_tolower(c);
  }
  return kebab;
}

}  // namespace

JsonRoute JsonRouteOf(const google::protobuf::MethodDescriptor& method) {
  const std::string& service = method.service()->name();
  const std::string prefix = service == "Bertha" ? "/v1/" : absl::StrCat("/v1/", Kebab(service), "/");
  if (method.input_type()->field_count() > 0) return {"POST", absl::StrCat(prefix, Kebab(method.name()))};
  absl::string_view name = method.name();
  if (name != "List") absl::ConsumePrefix(&name, "List");
  return {"GET", absl::StrCat(prefix, Kebab(name))};
}

}  // namespace bertha::server
