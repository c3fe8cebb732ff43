#include "server/token_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bertha::server {
namespace {

constexpr size_t kShortestToken = 16;
constexpr char kHashed[] = "sha256:";

bool IsName(absl::string_view name) {
  return name.size() <= 64 &&
         std::ranges::all_of(name, [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.'; });
}

absl::Status ReadScopes(absl::string_view scopes, Token& token) {
  for (const absl::string_view scope : absl::StrSplit(scopes, ',')) {
    if (scope == NameOf(Scope::kInfer)) {
      token.infer = true;
    } else if (scope == NameOf(Scope::kFeedback)) {
      token.feedback = true;
    } else if (scope == NameOf(Scope::kAdmin)) {
      token.admin = true;
    } else {
      // Not quoted: with fields in the wrong order this may be the token.
      return absl::InvalidArgumentError("the second field names a scope that is none of infer, feedback, admin");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadDigest(absl::string_view text, Digest& digest) {
  if (absl::ConsumePrefix(&text, kHashed)) {
    if (text.size() != 2 * digest.size() || !std::ranges::all_of(text, absl::ascii_isxdigit)) {
      return absl::InvalidArgumentError("after sha256: there must be 64 hexadecimal digits");
    }
    const std::string bytes = absl::HexStringToBytes(text);
    std::ranges::copy(bytes, digest.begin());
    return absl::OkStatus();
  }
  if (text.size() < kShortestToken) {
    return absl::InvalidArgumentError(absl::StrCat("the token has less than ", kShortestToken,
                                                   " characters; `openssl rand -hex 32` makes a good one"));
  }
  if (!std::ranges::all_of(text, absl::ascii_isgraph)) {
    return absl::InvalidArgumentError("the token has characters that are not printable ASCII");
  }
  digest = Sha256(text);
  return absl::OkStatus();
}

absl::StatusOr<Token> ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (fields.size() != 3) {
    return absl::InvalidArgumentError(absl::StrCat("expected NAME SCOPES TOKEN, got ", fields.size(), " fields"));
  }
  if (!IsName(fields[0])) {
    return absl::InvalidArgumentError("the name is not made of up to 64 letters, digits, \"_\", \"-\" and \".\"");
  }
  Token token = {.name = std::string(fields[0])};
  if (absl::Status status = ReadScopes(fields[1], token); !status.ok()) return status;
  if (absl::Status status = ReadDigest(fields[2], token.digest); !status.ok()) return status;
  return token;
}

}  // namespace

Digest Sha256(absl::string_view bytes) {
  Digest digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

bool Token::Allows(Scope scope) const {
  switch (scope) {
    case Scope::kInfer:
      return infer;
    case Scope::kFeedback:
      return feedback;
    case Scope::kAdmin:
      return admin;
  }
  return false;
}

absl::string_view NameOf(Scope scope) {
  switch (scope) {
    case Scope::kInfer:
      return "infer";
    case Scope::kFeedback:
      return "feedback";
    case Scope::kAdmin:
      return "admin";
  }
  return "";
}

absl::StatusOr<std::vector<Token>> ParseTokens(absl::string_view text, const std::string& name) {
  std::vector<Token> tokens;
  std::set<std::string> names;
  std::set<Digest> digests;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const auto error = [&, number = ++number](absl::string_view what) {
      return absl::InvalidArgumentError(absl::StrCat(name, ", line ", number, ": ", what));
    };
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    absl::StatusOr<Token> token = ParseLine(line);
    if (!token.ok()) return error(token.status().message());
    if (!names.insert(token->name).second)
      return error(absl::StrCat("there is a token named ", token->name, " already"));
    if (!digests.insert(token->digest).second) return error("this token is there already");
    if (tokens.size() == kMostTokens) return error(absl::StrCat("more than ", kMostTokens, " tokens"));
    tokens.push_back(*std::move(token));
  }
  return tokens;
}

}  // namespace bertha::server
