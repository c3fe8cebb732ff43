#include "server/tls_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "server/file_fingerprint.h"

namespace bertha::server {
namespace {

constexpr batcher::Duration kLookEvery = std::chrono::seconds(1);

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* pointer) const { Free(pointer); }
};
struct BioFreer {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioFreer>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;

/// A key with a passphrase is refused instead of asked for on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::StatusOr<std::string> Read(const std::string& path, const char* setting) {
  std::ifstream file(path);
  std::stringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.fail()) return absl::InvalidArgumentError(absl::StrCat(path, " (", setting, ") cannot be read"));
  return text.str();
}

Bio BioOf(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

Certificate FirstCertificate(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(BioOf(pem).get(), nullptr, NoPassphrase, nullptr));
}

absl::Status Check(const TlsFiles& files, const TlsMaterial& material) {
  const Certificate certificate = FirstCertificate(material.certificate);
  const Key key(PEM_read_bio_PrivateKey(BioOf(material.key).get(), nullptr, NoPassphrase, nullptr));
  const bool ca = files.client_ca.empty() || FirstCertificate(material.client_ca);
  const bool pair = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();  // the thread is gRPC's, and gRPC looks at what OpenSSL left there
  if (!certificate) {
    return absl::InvalidArgumentError(absl::StrCat(files.certificate, " (tls.certificate) holds no PEM certificate"));
  }
  if (!key) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.key, " (tls.key) holds no PEM private key, or one with a passphrase"));
  }
  if (!pair) {
    return absl::InvalidArgumentError(absl::StrCat("the key ", files.key,
                                                   " (tls.key) does not belong to the certificate ", files.certificate,
                                                   " (tls.certificate)"));
  }
  if (!ca) {
    return absl::InvalidArgumentError(absl::StrCat(files.client_ca, " (tls.client_ca) holds no PEM certificate"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files) {
  TlsMaterial material;
  const struct {
    const std::string& path;
    const char* setting;
    std::string& text;
  } parts[] = {{files.certificate, "tls.certificate", material.certificate},
               {files.key, "tls.key", material.key},
               {files.client_ca, "tls.client_ca", material.client_ca}};
  for (const auto& part : parts) {
    if (part.path.empty()) continue;
    absl::StatusOr<std::string> text = Read(part.path, part.setting);
    if (!text.ok()) return text.status();
    part.text = *std::move(text);
  }
  if (absl::Status status = Check(files, material); !status.ok()) return status;
  return material;
}

std::optional<TlsMaterial> TlsWatch::TakeNew() {
  MutexLock lock(mutex_);
  const batcher::TimePoint now = clock_.Now();
  if (now < next_look_) return std::nullopt;
  next_look_ = now + kLookEvery;
  const std::string fingerprint = absl::StrCat(FingerprintOf(files_.certificate), "/", FingerprintOf(files_.key), "/",
                                               FingerprintOf(files_.client_ca));
  if (fingerprint == fingerprint_) return std::nullopt;
  const bool first = fingerprint_.empty();
  fingerprint_ = fingerprint;
  absl::StatusOr<TlsMaterial> material = ReadTlsMaterial(files_);
  if (!material.ok()) {
    spdlog::error("{}; the certificate of before stays in use", std::string(material.status().message()));
    return std::nullopt;
  }
  if (!first) spdlog::info("{}: a new certificate is in use", files_.certificate);
  return *std::move(material);
}

}  // namespace bertha::server
