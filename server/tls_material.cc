#include "server/tls_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bertha::server {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;

/// Instead of asking the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

Bio Open(const std::string& pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Certificate NextCertificate(const Bio& bio) {
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, &NoPassphrase, nullptr));
}

/// One of the files, for messages.
struct Source {
  const std::string& path;
  const char* setting;

  std::string Name() const { return absl::StrCat(path, " (", setting, ")"); }
  absl::Status Refuse(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(Name(), " ", what));
  }
  /// For the reason that OpenSSL gave last.
  absl::Status RefuseUnusable() const {
    char reason[256] = "";
    ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
    return Refuse(absl::StrCat("cannot be used: ", reason));
  }
};

Source CertificateOf(const TlsFiles& files) { return {files.certificate, "tls.certificate"}; }
Source KeyOf(const TlsFiles& files) { return {files.key, "tls.key"}; }
Source ClientCaOf(const TlsFiles& files) { return {files.client_ca, "tls.client_ca"}; }

absl::Status Read(const Source& source, std::string& text) {
  if (source.path.empty()) return absl::OkStatus();
  std::ifstream file(source.path, std::ios::binary);
  if (!file) return source.Refuse("cannot be read");
  std::stringstream out;
  out << file.rdbuf();
  text = out.str();
  return absl::OkStatus();
}

absl::Status UseChain(SSL_CTX* context, const std::string& pem, const Source& source) {
  const Bio bio = Open(pem);
  const Certificate leaf = NextCertificate(bio);
  if (!leaf) return source.Refuse("holds no PEM certificate");
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return source.RefuseUnusable();
  while (const Certificate next = NextCertificate(bio)) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return source.RefuseUnusable();
  }
  return absl::OkStatus();
}

absl::Status UseKey(SSL_CTX* context, const std::string& pem, const TlsFiles& files) {
  const Source source = KeyOf(files);
  const Key key(PEM_read_bio_PrivateKey(Open(pem).get(), nullptr, &NoPassphrase, nullptr));
  if (!key) return source.Refuse("holds no PEM private key without a passphrase");
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key.get()) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key ", source.Name(), " does not belong to the certificate ", CertificateOf(files).Name()));
  }
  return SSL_CTX_use_PrivateKey(context, key.get()) == 1 ? absl::OkStatus() : source.RefuseUnusable();
}

absl::Status UseClientCa(SSL_CTX* context, const std::string& pem, const Source& source) {
  const Bio bio = Open(pem);
  int count = 0;
  for (; const Certificate next = NextCertificate(bio); ++count) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), next.get()) != 1 ||
        SSL_CTX_add_client_CA(context, next.get()) != 1) {
      return source.RefuseUnusable();
    }
  }
  if (count == 0) return source.Refuse("holds no PEM certificate");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

absl::Status Use(const TlsMaterial& material, const TlsFiles& files, SSL_CTX* context) {
  if (absl::Status s = UseChain(context, material.certificate, CertificateOf(files)); !s.ok()) return s;
  if (absl::Status s = UseKey(context, material.key, files); !s.ok()) return s;
  return files.client_ca.empty() ? absl::OkStatus() : UseClientCa(context, material.client_ca, ClientCaOf(files));
}

}  // namespace

absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files) {
  TlsMaterial material;
  if (absl::Status s = Read(CertificateOf(files), material.certificate); !s.ok()) return s;
  if (absl::Status s = Read(KeyOf(files), material.key); !s.ok()) return s;
  if (absl::Status s = Read(ClientCaOf(files), material.client_ca); !s.ok()) return s;
  const Context trial(SSL_CTX_new(TLS_server_method()));
  if (!trial) return absl::InternalError("OpenSSL cannot make a context");
  if (absl::Status s = UseTlsMaterial(material, files, trial.get()); !s.ok()) return s;
  return material;
}

absl::Status UseTlsMaterial(const TlsMaterial& material, const TlsFiles& files, SSL_CTX* context) {
  const absl::Status status = Use(material, files, context);
  ERR_clear_error();  // the end of a file is an error too, and the queue belongs to the thread
  return status;
}

}  // namespace bertha::server
