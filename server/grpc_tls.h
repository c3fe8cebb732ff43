// TLS for gRPC listeners: each handshake gets what a TlsWatch has now.
//
// Why not grpc::experimental::TlsServerCredentials: given a key that does not belong to the certificate, gRPC 1.51
// drops the good pair that it had, and every handshake fails from then on.
#ifndef BERTHA_SERVER_GRPC_TLS_H_
#define BERTHA_SERVER_GRPC_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/tls_watch.h"

namespace bertha::server {

/// Of one listener. `watch` null: plaintext. The credentials outlive the server that uses them.
std::shared_ptr<grpc::ServerCredentials> ServerCredentialsOf(std::shared_ptr<const TlsWatch> watch);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_GRPC_TLS_H_
