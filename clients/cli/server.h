// Which server to talk to, and as whom.
#ifndef BERTHA_CLIENTS_CLI_SERVER_H_
#define BERTHA_CLIENTS_CLI_SERVER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::cli {

/// As the command line says it: paths.
struct ServerFlags {
  std::string address = "localhost:8001";
  bool tls = false;
  /// PEM files; any of them implies TLS.
  std::string ca_file, certificate_file, key_file;
  std::string token, token_file;
  bool insecure_token = false;
};

/// What a connection needs: contents.
struct Server {
  std::string address = "localhost:8001";
  bool tls = false;
  /// PEM. No ca: the authorities that the system trusts. No certificate: none is shown.
  std::string ca, certificate, key;
  /// Empty: none is sent.
  std::string token;
};

/// To which of the servers behind a name calls go. kPickFirst: to the first that can be reached. kRoundRobin: in turn
/// to all whose health (grpc.health.v1, the service "") is SERVING, so that one which is about to end gets no more.
enum class Balancing { kPickFirst, kRoundRobin };

/// Reads the files. INVALID_ARGUMENT with one line for the user: a file that cannot be read, a certificate without its
/// key, or a token that would cross a network in plaintext.
absl::StatusOr<Server> Resolve(const ServerFlags& flags);

/// True if "host:port" can only be this machine.
bool IsLoopback(absl::string_view address);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_SERVER_H_
