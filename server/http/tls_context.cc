#include "server/http/tls_context.h"

#include <spdlog/spdlog.h>

#include <string>

namespace bertha::server {
namespace {

constexpr unsigned char kAlpn[] = "\x08http/1.1";

int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                   unsigned int in_size, void*) {
  auto** chosen = const_cast<unsigned char**>(out);
  const int found = SSL_select_next_proto(chosen, out_size, kAlpn, sizeof(kAlpn) - 1, in, in_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void Harden(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Resumption by ticket only: no session is kept in memory here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, kAlpn, sizeof(kAlpn) - 1);
  SSL_CTX_set_alpn_select_cb(context, &ChooseProtocol, nullptr);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Of(std::shared_ptr<const TlsWatch> watch) {
  std::unique_ptr<TlsContext> out(new TlsContext(std::move(watch)));
  if (absl::Status status = out->Follow(); !status.ok()) return status;
  return out;
}

std::shared_ptr<SSL_CTX> TlsContext::Current() {
  if (absl::Status status = Follow(); !status.ok()) {
    spdlog::error("HTTP keeps the certificate of before: {}", std::string(status.message()));
  }
  return context_;
}

absl::Status TlsContext::Follow() {
  auto material = watch_->current();
  if (material == material_) return absl::OkStatus();
  material_ = std::move(material);
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!context) return absl::InternalError("OpenSSL cannot make a context");
  Harden(context.get());
  if (absl::Status s = UseTlsMaterial(*material_, watch_->files(), context.get()); !s.ok()) return s;
  context_ = std::move(context);
  return absl::OkStatus();
}

}  // namespace bertha::server
