#include "server/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

constexpr unsigned char kAlpn[] = "\x08http/1.1";

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Certificate = std::unique_ptr<X509, FreeX509>;

Bio Open(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

Certificate NextCertificate(const Bio& bio) {
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

absl::Status Bad(const std::string& file, absl::string_view what) {
  char reason[256] = "";
  if (const unsigned long error = ERR_peek_last_error()) ERR_error_string_n(error, reason, sizeof(reason));
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", what, *reason ? " (" : "", reason, *reason ? ")" : ""));
}

/// Instead of asking the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                   unsigned int in_size, void*) {
  auto** chosen = const_cast<unsigned char**>(out);
  const int found = SSL_select_next_proto(chosen, out_size, kAlpn, sizeof(kAlpn) - 1, in, in_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

absl::Status UseCertificate(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const Bio bio = Open(pem);
  const Certificate leaf = NextCertificate(bio);
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return Bad(file, "holds no usable PEM certificate");
  while (const Certificate next = NextCertificate(bio)) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return Bad(file, "its chain cannot be used");
  }
  ERR_clear_error();  // the end of the file
  return absl::OkStatus();
}

absl::Status UseKey(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const Bio bio = Open(pem);
  const std::unique_ptr<EVP_PKEY, FreeKey> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, nullptr));
  if (!key) return Bad(file, "holds no PEM private key without a passphrase");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Bad(file, "is not the key of the certificate");
  }
  return absl::OkStatus();
}

absl::Status UseClientCa(SSL_CTX* context, const std::string& file, const std::string& pem) {
  const Bio bio = Open(pem);
  int count = 0;
  for (; const Certificate next = NextCertificate(bio); ++count) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) != 1 ||
        SSL_CTX_add_client_CA(context, next.get()) != 1) {
      return Bad(file, "holds a certificate that cannot be used");
    }
  }
  if (count == 0) return Bad(file, "holds no PEM certificate");
  ERR_clear_error();  // the end of the file
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
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

TlsContext::TlsContext(TlsFiles files, std::chrono::milliseconds poll) : files_(std::move(files)), poll_(poll) {}

TlsContext::~TlsContext() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Load(const TlsFiles& files, std::chrono::milliseconds poll) {
  std::unique_ptr<TlsContext> out(new TlsContext(files, poll));
  absl::StatusOr<Snapshot> snapshot = out->Read();
  if (!snapshot.ok()) return snapshot.status();
  absl::StatusOr<std::shared_ptr<SSL_CTX>> context = out->Make(*snapshot);
  if (!context.ok()) return context.status();
  {
    MutexLock lock(out->mutex_);
    out->context_ = *std::move(context);
  }
  out->snapshot_ = *std::move(snapshot);
  out->thread_ = std::thread([self = out.get()] { self->Watch(); });
  return out;
}

std::shared_ptr<SSL_CTX> TlsContext::current() const {
  MutexLock lock(mutex_);
  return context_;
}

absl::StatusOr<TlsContext::Snapshot> TlsContext::Read() const {
  Snapshot out;
  const std::array<const std::string*, 3> paths = {&files_.certificate, &files_.key, &files_.client_ca};
  for (size_t i = 0; i < paths.size(); ++i) {
    if (paths[i]->empty()) continue;
    std::error_code error;
    out.times[i] = std::filesystem::last_write_time(*paths[i], error);
    std::ifstream file(*paths[i], std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    if (!file || error) return absl::InvalidArgumentError(absl::StrCat(*paths[i], ": cannot be read"));
    out.contents[i] = text.str();
  }
  return out;
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> TlsContext::Make(const Snapshot& snapshot) const {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (!context) return absl::InternalError("OpenSSL cannot make a context");
  Harden(context.get());
  const auto& [certificate, key, client_ca] = snapshot.contents;
  if (absl::Status s = UseCertificate(context.get(), files_.certificate, certificate); !s.ok()) return s;
  if (absl::Status s = UseKey(context.get(), files_.key, key); !s.ok()) return s;
  if (files_.client_ca.empty()) return context;
  if (absl::Status s = UseClientCa(context.get(), files_.client_ca, client_ca); !s.ok()) return s;
  return context;
}

bool TlsContext::Unchanged() const {
  const std::array<const std::string*, 3> paths = {&files_.certificate, &files_.key, &files_.client_ca};
  for (size_t i = 0; i < paths.size(); ++i) {
    std::error_code error;
    if (!paths[i]->empty() && std::filesystem::last_write_time(*paths[i], error) != snapshot_.times[i]) return false;
  }
  return true;
}

void TlsContext::Watch() {
  while (true) {
    {
      MutexLock lock(mutex_);
      const auto until = std::chrono::steady_clock::now() + poll_;
      while (!stopping_ && stop_.WaitUntil(mutex_, until)) {
      }
      if (stopping_) return;
    }
    if (!Unchanged()) Reload();
  }
}

/// Certificate and key are rarely replaced at the same moment; until both are there the old pair stays.
void TlsContext::Reload() {
  absl::StatusOr<Snapshot> snapshot = Read();
  if (snapshot.ok() && snapshot->contents == snapshot_.contents) {
    snapshot_.times = snapshot->times;
    return;
  }
  absl::StatusOr<std::shared_ptr<SSL_CTX>> context =
      snapshot.ok() ? Make(*snapshot) : absl::StatusOr<std::shared_ptr<SSL_CTX>>(snapshot.status());
  if (!context.ok()) {
    const std::string complaint(context.status().message());
    if (complaint != last_complaint_)
      spdlog::error("TLS files changed but cannot be used, keeping the old: {}", complaint);
    last_complaint_ = complaint;
    return;
  }
  snapshot_ = *std::move(snapshot);
  last_complaint_.clear();
  {
    MutexLock lock(mutex_);
    context_ = *std::move(context);
  }
  spdlog::info("TLS files changed: new connections use them");
}

}  // namespace bertha::server
