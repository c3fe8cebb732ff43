#include "server/package_scan.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

namespace fs = std::filesystem;

TEST_CASE("OnlyFinishedPackagesWithProperNamesAreFound") {
  const fs::path root = fs::temp_directory_path() / "bertha_scan_test";
  fs::remove_all(root);
  auto package = [&](const std::string& path, bool sealed) {
    fs::create_directories(root / path);
    if (sealed) std::ofstream(root / path / "SHA256SUMS") << "";
  };
  package("good/10", true);
  package("good/2", true);
  package("copying/1", false);
  package("odd/latest", true);
  package("odd/01", true);
  package("odd/1 ", true);
  package("odd/+1", true);
  package(".hidden/1", true);
  std::ofstream(root / "README.md") << "not a model";
  auto scan = ScanPackages(root.string());
  fs::remove_all(root);
  REQUIRE(scan.ok());
  REQUIRE(scan->packages.size() == 2);
  CHECK(scan->packages[0].key.ToString() == "good:2");
  CHECK(scan->packages[1].key.ToString() == "good:10");
  CHECK(scan->passed_over.size() == 6);
}

TEST_CASE("AModelDirectoryThatIsNotThereIsNamed") {
  CHECK(Is(ScanPackages("/no/such/dir").status(), absl::StatusCode::kNotFound, "/no/such/dir"));
}

}  // namespace
}  // namespace bertha::server
