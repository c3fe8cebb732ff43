#include "clients/cli/server.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

TEST_CASE("OnlyLoopbackIsLoopback") {
  for (const char* address : {"localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "unix:/run/x"}) {
    CHECK(IsLoopback(address));
  }
  for (const char* address : {"10.0.0.1:1", "127.example.com:1", "localhost.example.com:1", "[::2]:1", "0.0.0.0:1"}) {
    CHECK_FALSE(IsLoopback(address));
  }
}

TEST_CASE("ATokenCrossesANetworkOnlyOverTlsOrIfToldTo") {
  CHECK(Resolve({.address = "localhost:1", .token = "t"}).ok());
  CHECK_FALSE(Resolve({.address = "host:1", .token = "t"}).ok());
  CHECK(Resolve({.address = "host:1", .tls = true, .token = "t"}).ok());
  CHECK(Resolve({.address = "host:1", .token = "t", .insecure_token = true}).ok());
  CHECK(Resolve({.address = "host:1"}).ok());
}

TEST_CASE("FilesAreReadAndImplyTls") {
  const auto path = (std::filesystem::temp_directory_path() / absl::StrCat("bertha_server_test_", rand())).string();
  std::ofstream(path) << "contents\n";
  const auto server = Resolve({.ca_file = path, .token_file = path});
  REQUIRE(server.ok());
  CHECK(server->tls);
  CHECK(server->ca == "contents\n");
  CHECK(server->token == "contents");
  std::filesystem::remove(path);
  CHECK_FALSE(Resolve({.ca_file = path}).ok());
  CHECK_FALSE(Resolve({.token = "two words"}).ok());
  CHECK_FALSE(Resolve({.certificate_file = path}).ok());
}

}  // namespace
}  // namespace bertha::cli
