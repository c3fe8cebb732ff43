#include "clients/cli/server.h"

#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bertha::cli {
namespace {

/// Leaves `text` empty if there is no path.
absl::Status Read(const std::string& path, const char* flag, std::string& text) {
  if (path.empty()) return absl::OkStatus();
  std::ifstream file(path);
  std::stringstream contents;
  if (file) contents << file.rdbuf();
  if (!file || contents.fail() || contents.str().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(flag, ": ", path, " cannot be read"));
  }
  text = contents.str();
  return absl::OkStatus();
}

}  // namespace

bool IsLoopback(absl::string_view address) {
  absl::string_view host = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  if (host == "localhost" || host == "::1" || absl::StartsWith(address, "unix:")) return true;
  return absl::StartsWith(host, "127.") && host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

absl::StatusOr<Server> Resolve(const ServerFlags& flags) {
  Server server = {
      .address = flags.address,
      .tls = flags.tls || !flags.ca_file.empty() || !flags.certificate_file.empty() || !flags.key_file.empty(),
      .token = flags.token};
  if (flags.certificate_file.empty() != flags.key_file.empty()) {
    return absl::InvalidArgumentError("--cert and --key: one is of no use without the other");
  }
  std::string token;
  for (const absl::Status& status :
       {Read(flags.ca_file, "--ca", server.ca), Read(flags.certificate_file, "--cert", server.certificate),
        Read(flags.key_file, "--key", server.key), Read(flags.token_file, "--token-file", token)}) {
    if (!status.ok()) return status;
  }
  if (!token.empty()) server.token = std::string(absl::StripAsciiWhitespace(token));
  for (const char c : server.token) {
    if (!absl::ascii_isgraph(c)) return absl::InvalidArgumentError("the token has spaces, or is not printable ASCII");
  }
  if (!server.token.empty() && !server.tls && !flags.insecure_token && !IsLoopback(server.address)) {
    return absl::InvalidArgumentError(absl::StrCat("the token would go to ", server.address,
                                                   " in plaintext, for everybody between to read: add --tls, or "
                                                   "--insecure-token if that is all right"));
  }
  return server;
}

}  // namespace bertha::cli
