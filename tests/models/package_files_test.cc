#include "models/package_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;

Package Opened(const std::string& dir) {
  absl::StatusOr<Package> package = Package::Open(dir);
  INFO(package.status().ToString());
  REQUIRE(package.ok());
  return *std::move(package);
}

TEST_CASE("AFileIsReadToEveryByteUpToItsLimit") {
  TempDir dir;
  const std::string content("a\0\r\n\xff", 5);
  WriteFile(dir / "file", content);
  WriteFile(dir / "empty", "");
  const Package package = Opened(dir.path());
  CHECK(package.files().size() == 2);
  CHECK(package.Read("file", 5).value() == content);
  CHECK(package.Read("empty", 0).value() == "");
  CHECK(package.Read("file", 4).status() == absl::InvalidArgumentError("file: has 5 bytes, at most 4 are allowed"));
  CHECK(package.Read("missing", 5).status() == absl::NotFoundError("missing: No such file or directory"));
  auto file = package.OpenFile("file");
  REQUIRE(file.ok());
  char buffer[8] = {};
  CHECK((*file)->size() == 5);
  CHECK((*file)->ReadAt(3, buffer, sizeof(buffer)) == 2);
  CHECK(std::string(buffer, 2) == "\n\xff");
  CHECK((*file)->ReadAt(9, buffer, sizeof(buffer)) == 0);
  CHECK((*file)->ReadAt(UINT64_MAX, buffer, sizeof(buffer)) == 0);
}

TEST_CASE("NamesOutsideThePackageAreNotThere") {
  TempDir outer;
  fs::create_directory(outer / "package");
  WriteFile(outer / "secret", "s");
  WriteFile(outer / "package/file", "f");
  const Package package = Opened(outer / "package");
  for (const std::string& name : {std::string("../secret"), outer / "secret", std::string("./file"), std::string(".."),
                                  std::string("."), std::string("")}) {
    CAPTURE(name);
    CHECK(package.OpenFile(name).status().code() == absl::StatusCode::kNotFound);
  }
}

TEST_CASE("ADirectoryThatIsALinkIsNoPackage") {
  TempDir outer;
  fs::create_directory(outer / "package");
  fs::create_directory_symlink("package", outer / "link");
  fs::create_symlink("loop", outer / "loop");
  CHECK(Package::Open(outer / "package").ok());
  CHECK(Package::Open(outer / "link").status() == absl::InvalidArgumentError(outer / "link: is a link"));
  CHECK(Package::Open(outer / "loop").status() == absl::InvalidArgumentError(outer / "loop: is a link"));
  WriteFile(outer / "file", "");
  CHECK(Package::Open(outer / "file").status() == absl::NotFoundError(outer / "file: Not a directory"));
  // The directory above it may be one.
  fs::create_directory_symlink(".", outer / "root");
  CHECK(Package::Open(outer / "root/package").ok());
}

TEST_CASE("AFileThatIsChangedAfterItWasListedIsRefused") {
  struct Case {
    const char* what;
    std::function<void(const TempDir&)> change;
    absl::StatusCode code;
  };
  using enum absl::StatusCode;
  const std::vector<Case> cases = {
      {"overwritten", [](const TempDir& dir) { WriteFile(dir / "file", "CONTENT"); }, kDataLoss},
      {"grown", [](const TempDir& dir) { WriteFile(dir / "file", "content and more"); }, kDataLoss},
      {"replaced by another",
       [](const TempDir& dir) {
         WriteFile(dir / "new", "content");
         fs::rename(dir / "new", dir / "file");
       },
       kDataLoss},
      {"overwritten, and its time of modification set back",
       [](const TempDir& dir) {
         struct stat before;
         REQUIRE(stat((dir / "file").c_str(), &before) == 0);
         WriteFile(dir / "file", "CONTENT");
         const timespec times[2] = {before.st_atim, before.st_mtim};
         REQUIRE(utimensat(AT_FDCWD, (dir / "file").c_str(), times, 0) == 0);
       },
       kDataLoss},
      {"replaced by a pipe, on which nobody waits",
       [](const TempDir& dir) {
         fs::remove(dir / "file");
         REQUIRE(mkfifo((dir / "file").c_str(), 0600) == 0);
       },
       kDataLoss},
      {"replaced by a link",
       [](const TempDir& dir) {
         fs::rename(dir / "file", dir / "moved");
         fs::create_symlink("moved", dir / "file");
       },
       kNotFound},
      {"removed", [](const TempDir& dir) { fs::remove(dir / "file"); }, kNotFound},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    TempDir dir;
    WriteFile(dir / "file", "content");
    // Long ago for the kernel's clock, which ticks in milliseconds.
    usleep(20'000);
    const Package package = Opened(dir.path());
    const auto open = package.OpenFile("file");
    REQUIRE(open.ok());
    CHECK((*open)->CheckUnchanged() == absl::OkStatus());
    c.change(dir);
    const absl::Status status = package.Read("file", 100).status();
    CHECK(status.code() == c.code);
    CHECK_THAT(std::string(status.message()), Catch::StartsWith("file: "));
    // It is still open: what was moved away or removed goes on being the same, but for its links.
    if (std::string(c.what).starts_with("overwritten") || std::string(c.what) == "grown") {
      CHECK((*open)->CheckUnchanged() == absl::DataLossError("file: was changed while it was read"));
    }
  }
}

TEST_CASE("APackageThatIsMovedAwayIsStillTheOneThatWasOpened") {
  TempDir outer;
  fs::create_directory(outer / "1");
  WriteFile(outer / "1/file", "old");
  const Package package = Opened(outer / "1");
  fs::rename(outer / "1", outer / "0");
  fs::create_directory(outer / "1");
  WriteFile(outer / "1/file", "new");
  CHECK(package.Read("file", 10).value() == "old");
}

TEST_CASE("ReplacingAFileFollowsNoLinkThatWaitsThere") {
  TempDir outer;
  fs::create_directory(outer / "package");
  WriteFile(outer / "victim", "precious");
  fs::create_symlink("victim", outer / "package.probes.json.tmp");
  fs::create_symlink("../victim", outer / "package/probes.json");
  REQUIRE(ReplaceFile(outer / "package", "probes.json", "{}") == absl::OkStatus());
  CHECK(FileContent(outer / "victim") == "precious");
  CHECK(FileContent(outer / "package/probes.json") == "{}");
  CHECK_FALSE(fs::is_symlink(outer / "package/probes.json"));
  CHECK(std::distance(fs::directory_iterator(outer.path()), {}) == 2);
}

}  // namespace
}  // namespace bertha::models
