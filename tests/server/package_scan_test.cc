#include "server/package_scan.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

namespace fs = std::filesystem;

/// A model directory that is removed with the test.
struct Tree {
  Tree() : root(fs::temp_directory_path() / absl::StrCat("bertha_scan_test.", getpid())) {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~Tree() { fs::remove_all(root); }
  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  ScanResult Scan() const {
    auto scan = ScanPackages(root.string());
    REQUIRE(scan.ok());
    return *std::move(scan);
  }
  std::string Fingerprint() const {
    const ScanResult scan = Scan();
    REQUIRE(scan.packages.size() == 1);
    return scan.packages[0].fingerprint;
  }
  const fs::path root;
};

TEST_CASE("PackagesWithProperNamesAreFoundAndThoseWithoutSumsAreNotSealed") {
  Tree tree;
  for (const char* path :
       {"good/10/SHA256SUMS", "good/2/SHA256SUMS", "copying/1/model.pt", "odd/latest/SHA256SUMS", "odd/01/SHA256SUMS",
        "odd/1 /SHA256SUMS", "odd/+1/SHA256SUMS", ".hidden/1/SHA256SUMS", "good/.3.half/SHA256SUMS"}) {
    tree.Write(path, "12345");
  }
  tree.Write("README.md", "not a model");
  const ScanResult scan = tree.Scan();
  REQUIRE(scan.packages.size() == 3);
  CHECK(scan.packages[0].key.ToString() == "copying:1");
  CHECK_FALSE(scan.packages[0].sealed());
  CHECK(scan.packages[1].key.ToString() == "good:2");
  CHECK(scan.packages[1].sealed());
  CHECK(scan.packages[1].bytes == 5);
  CHECK(scan.packages[2].key.ToString() == "good:10");
  CHECK(scan.passed_over.size() == 5);  // nothing is said of what is hidden
  CHECK_FALSE(scan.empty);
}

TEST_CASE("EveryChangeOfAPackageChangesItsFingerprint") {
  Tree tree;
  tree.Write("m/1/SHA256SUMS", "one");
  tree.Write("m/1/model.pt", "weights");
  const std::string first = tree.Fingerprint();
  CHECK(tree.Fingerprint() == first);
  const auto time = fs::last_write_time(tree.root / "m/1/model.pt");
  tree.Write("m/1/model.pt", "other");
  fs::last_write_time(tree.root / "m/1/model.pt", time);
  const std::string other_size = tree.Fingerprint();
  CHECK(other_size != first);
  tree.Write("m/1/model.pt", "weights");
  fs::last_write_time(tree.root / "m/1/model.pt", time + std::chrono::seconds(1));
  CHECK(tree.Fingerprint() != first);
  fs::last_write_time(tree.root / "m/1/model.pt", time);
  CHECK(tree.Fingerprint() == first);
  const auto sums_time = fs::last_write_time(tree.root / "m/1/SHA256SUMS");
  tree.Write("m/1/SHA256SUMS", "two");
  fs::last_write_time(tree.root / "m/1/SHA256SUMS", sums_time);
  CHECK(tree.Fingerprint() != first);
  tree.Write("m/1/more", "");
  CHECK(tree.Fingerprint() != first);
}

TEST_CASE("LabelsAreReadAndBadOnesSaidToBe") {
  Tree tree;
  tree.Write("m/labels.json", R"({"stable": 3, "canary-2": 4})");
  const ScanResult good = tree.Scan();
  CHECK(good.labels.at("m") == VersionLabels{{"stable", 3}, {"canary-2", 4}});
  CHECK(good.passed_over.empty());
  for (const char* bad : {"", "[]", "{", R"({"a": 0})", R"({"a": "1"})", R"({"a": 1.5})", R"({"a b": 1})", R"({"": 1})",
                          R"({"a": 1, "a": 2})", R"({"a": 99999999999999999999})", R"({"a": -1})", R"({"a": true})"}) {
    CAPTURE(bad);
    tree.Write("m/labels.json", bad);
    const ScanResult scan = tree.Scan();
    CHECK(scan.labels.empty());
    CHECK(scan.unreadable_labels.contains("m"));
    REQUIRE(scan.passed_over.size() == 1);
    CHECK(scan.passed_over[0].find("labels.json") != std::string::npos);
    CHECK(scan.passed_over[0].find('\n') == std::string::npos);
  }
  fs::remove(tree.root / "m/labels.json");
  CHECK(tree.Scan().unreadable_labels.empty());
}

TEST_CASE("AVersionThatIsALinkToNowhereIsUnreadableNotGone") {
  Tree tree;
  fs::create_directories(tree.root / "m");
  fs::create_directory_symlink("/no/such/package", tree.root / "m" / "1");
  const ScanResult scan = tree.Scan();
  CHECK(scan.packages.empty());
  CHECK(scan.unreadable.contains("m"));
  CHECK(scan.passed_over.size() == 1);
}

TEST_CASE("AnEmptyDirectoryIsEmpty") { CHECK(Tree().Scan().empty); }

TEST_CASE("AModelDirectoryThatIsNotThereIsNamed") {
  CHECK(Is(ScanPackages("/no/such/dir").status(), absl::StatusCode::kNotFound, "/no/such/dir"));
}

}  // namespace
}  // namespace bertha::server
