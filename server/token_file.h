// The file of bearer tokens: who may do what. A line each, "#" begins a comment:
//
//   NAME SCOPES TOKEN          shop infer,feedback  a-long-random-string
//   NAME SCOPES sha256:HEX     ops  infer,admin     sha256:9f86d0...   the hash of the token, so that the file need not
//                                                                     hold it
//
// Thread-safety: values.
#ifndef BERTHA_SERVER_TOKEN_FILE_H_
#define BERTHA_SERVER_TOKEN_FILE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/method.h"

namespace bertha::server {

/// SHA-256 (FIPS 180-4).
using Digest = std::array<uint8_t, 32>;
Digest Sha256(absl::string_view bytes);

struct Token {
  /// Unique; letters, digits, "_", "-" and ".".
  std::string name;
  bool infer = false, feedback = false, admin = false;
  /// Of what the client sends.
  Digest digest{};

  bool Allows(Scope scope) const;
};

/// Most lines with tokens in one file: each call looks at all of them.
inline constexpr size_t kMostTokens = 1000;

/// INVALID_ARGUMENT that says the line and what is wrong with it, without the token. `name`: of the file, for errors.
absl::StatusOr<std::vector<Token>> ParseTokens(absl::string_view text, const std::string& name);

/// "infer".
absl::string_view NameOf(Scope scope);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_TOKEN_FILE_H_
