#include "server/grpc_tls.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include <string>
#include <utility>

#include "server/tls_material.h"

namespace bertha::server {
namespace {

/// gRPC's C core asks for the certificate at every handshake, which its C++ interface does not offer.
class ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  ReloadingCredentials(const TlsFiles& files, const batcher::Clock& clock) : watch_(files, clock) {
    const auto request = files.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                                 : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, &Fetch, &watch_));
  }
  ~ReloadingCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  static grpc_ssl_certificate_config_reload_status Fetch(void* watch, grpc_ssl_server_certificate_config** config) {
    const auto material = static_cast<TlsWatch*>(watch)->TakeNew();
    if (!material) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {material->key.c_str(), material->certificate.c_str()};
    // gRPC insists on roots even where it asks no client for a certificate and has no use for them.
    const std::string& roots = material->client_ca.empty() ? material->certificate : material->client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  TlsWatch watch_;
  grpc_server_credentials* credentials_ = nullptr;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const TlsFiles& files,
                                                                             const batcher::Clock& clock) {
  if (!files.enabled()) return grpc::InsecureServerCredentials();
  if (absl::StatusOr<TlsMaterial> material = ReadTlsMaterial(files); !material.ok()) return material.status();
  return std::make_shared<ReloadingCredentials>(files, clock);
}

}  // namespace bertha::server
