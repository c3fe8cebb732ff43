#include "server/tls_watch.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/server/statuses.h"

namespace bertha::server {
namespace {

/// PEM of a new key and of a certificate of itself.
struct Pair {
  std::string certificate, key;
};

std::string TextOf(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return std::string(text, static_cast<size_t>(size));
}

Pair NewPair(const char* name) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, int (*)(BIO*)> certificate_pem(BIO_new(BIO_s_mem()), BIO_free);
  const std::unique_ptr<BIO, int (*)(BIO*)> key_pem(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(certificate_pem.get(), certificate.get());
  PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {TextOf(certificate_pem.get()), TextOf(key_pem.get())};
}

/// Files in a folder of their own.
struct Files {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("bertha_tls_watch_test." + std::to_string(getpid()));
  const TlsFiles paths = {.certificate = folder / "certificate", .key = folder / "key"};
  const Pair first = NewPair("first");

  Files() {
    std::filesystem::create_directories(folder);
    Write(first);
  }
  ~Files() { std::filesystem::remove_all(folder); }

  void Write(const Pair& pair) const {
    std::ofstream(paths.certificate) << pair.certificate;
    std::ofstream(paths.key) << pair.key;
  }

  /// Looks only when it is told to.
  absl::StatusOr<std::shared_ptr<TlsWatch>> Watch() const { return TlsWatch::Open(paths, std::chrono::hours(1)); }
};

TEST_CASE("NewTlsFilesAreTakenAndTheSameAreNot") {
  const Files files;
  const auto watch = files.Watch();
  REQUIRE(watch.ok());
  const auto before = (*watch)->current();
  CHECK(before->certificate == files.first.certificate);
  files.Write(files.first);
  (*watch)->Look();
  CHECK((*watch)->current() == before);
  const Pair second = NewPair("second");
  files.Write(second);
  (*watch)->Look();
  CHECK((*watch)->current()->certificate == second.certificate);
  CHECK((*watch)->current()->key == second.key);
}

TEST_CASE("BrokenTlsFilesLeaveTheOldInUseUntilTheyFit") {
  const Files files;
  const auto watch = files.Watch();
  REQUIRE(watch.ok());
  const auto before = (*watch)->current();
  const Pair second = NewPair("second");
  for (const Pair& broken :
       {Pair{files.first.certificate, second.key}, Pair{"nonsense", files.first.key}, Pair{"", ""}}) {
    files.Write(broken);
    (*watch)->Look();
    CHECK((*watch)->current() == before);
  }
  std::filesystem::remove(files.paths.key);
  (*watch)->Look();
  CHECK((*watch)->current() == before);
  files.Write(second);
  (*watch)->Look();
  CHECK((*watch)->current()->certificate == second.certificate);
}

TEST_CASE("TlsFilesThatAreNoUseAreRefusedByNameAndSetting") {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const Files files;
  const std::vector<std::pair<Pair, std::string>> cases = {
      {{"", files.first.key}, "certificate (tls.certificate) holds no PEM certificate"},
      {{files.first.certificate, "nonsense"}, "key (tls.key) holds no PEM private key without a passphrase"},
      {{files.first.certificate, NewPair("other").key}, "(tls.key) does not belong to the certificate"}};
  for (const auto& [pair, message] : cases) {
    files.Write(pair);
    CAPTURE(message);
    CHECK(Is(files.Watch().status(), kInvalid, message));
  }
  files.Write(files.first);
  TlsFiles with_authority = files.paths;
  with_authority.client_ca = files.paths.key;
  CHECK(Is(TlsWatch::Open(with_authority).status(), kInvalid, "key (tls.client_ca) holds no PEM certificate"));
  with_authority.client_ca = "/no/such/file";
  CHECK(Is(TlsWatch::Open(with_authority).status(), kInvalid, "/no/such/file (tls.client_ca) cannot be read"));
}

}  // namespace
}  // namespace bertha::server
