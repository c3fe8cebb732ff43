// TLS for gRPC listeners, with files that may change while the server runs: each handshake looks whether they did, once
// a second at most. A new pair that does not fit together, or cannot be read, leaves the old one in use and is logged
// once.
//
// Why not grpc::experimental::TlsServerCredentials: given a key that does not belong to the certificate, gRPC 1.51
// drops the good pair that it had, and every handshake fails from then on.
#ifndef BERTHA_SERVER_GRPC_TLS_H_
#define BERTHA_SERVER_GRPC_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "server/tls_files.h"

namespace bertha::server {

/// Plaintext if `files` is not enabled. INVALID_ARGUMENT names the file that cannot be used and why. `clock` outlives
/// the credentials, and they outlive the server that uses them.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const TlsFiles& files,
                                                                             const batcher::Clock& clock);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_TLS_H_
