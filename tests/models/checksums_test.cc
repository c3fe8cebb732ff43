#include "models/checksums.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <functional>

#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;

// sha256sum of "", "abc" (FIPS 180-4's own example) and 1,000,000 times "a" (likewise; it takes more than one read).
constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kMillion[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

std::string Sums() { return std::string(kAbc) + "  abc\n" + kEmpty + "  empty file\n" + kMillion + "  million\n"; }

/// A sealed package of three files.
struct SealedPackage {
  SealedPackage() {
    WriteFile(dir / "abc", "abc");
    WriteFile(dir / "million", std::string(1'000'000, 'a'));
    WriteFile(dir / "empty file", "");
    WriteFile(dir / "SHA256SUMS", Sums());
  }
  absl::Status Verify() const {
    const auto package = Package::Open(dir.path());
    return package.ok() ? VerifySums(*package) : package.status();
  }

  TempDir outer;
  TempDir dir;
};

TEST_CASE("AWholePackageVerifies") { CHECK(SealedPackage().Verify() == absl::OkStatus()); }

TEST_CASE("BinaryModeAndAMissingLastNewlineAreTheSameFormat") {
  SealedPackage package;
  std::string sums = std::string(kAbc) + " *abc\n" + kMillion + " *million\n" + kEmpty + "  empty file";
  WriteFile(package.dir / "SHA256SUMS", sums);
  CHECK(package.Verify() == absl::OkStatus());
}

TEST_CASE("OneFlippedBitIsFoundInEveryFile") {
  for (const char* name : {"abc", "million"}) {
    for (const double where : {0.0, 0.5, 1.0}) {
      SealedPackage package;
      std::string content = FileContent(package.dir / name);
      content[static_cast<size_t>(where * static_cast<double>(content.size() - 1))] ^= 1;
      WriteFile(package.dir / name, content);
      CAPTURE(name, where);
      const absl::Status status = package.Verify();
      CHECK(status.code() == absl::StatusCode::kDataLoss);
      CHECK(status.message() == std::string(name) +
                                    ": does not match its checksum in SHA256SUMS; the file is damaged or was changed "
                                    "after sealing");
    }
  }
}

TEST_CASE("EveryDepartureFromTheSumsIsNamed") {
  struct Case {
    const char* what;
    std::function<void(const SealedPackage&)> spoil;
    absl::StatusCode code;
    std::string message;  // its beginning
  };
  auto write_sums = [](const std::string& text) {
    return [text](const SealedPackage& p) { WriteFile(p.dir / "SHA256SUMS", text); };
  };
  const std::string ok = Sums();
  std::string upper = ok;
  std::ranges::transform(upper.begin(), upper.begin() + 64, upper.begin(), [](unsigned char c) { return toupper(c); });
  const std::string line4 = "SHA256SUMS: line 4 is not \"<sha256>  <name>\"";
  const std::string link = ": a package holds plain files only, no links or folders";
  using enum absl::StatusCode;
  const std::vector<Case> cases = {
      {"grown file", [](const SealedPackage& p) { WriteFile(p.dir / "empty file", "x"); }, kDataLoss,
       "empty file: does not"},
      {"cut file", [](const SealedPackage& p) { fs::resize_file(p.dir / "million", 999'999); }, kDataLoss,
       "million: does not match"},
      {"missing file", [](const SealedPackage& p) { fs::remove(p.dir / "million"); }, kDataLoss,
       "million: listed in SHA256SUMS but missing"},
      {"new file", [](const SealedPackage& p) { WriteFile(p.dir / "new", "x"); }, kDataLoss,
       "new: not listed in SHA256SUMS"},
      {"hidden new file", [](const SealedPackage& p) { WriteFile(p.dir / ".new", ""); }, kDataLoss, ".new: not listed"},
      {"link to a file inside", [](const SealedPackage& p) { fs::create_symlink("abc", p.dir / "link"); },
       kInvalidArgument, "link" + link},
      {"listed file is a link to the same content",
       [](const SealedPackage& p) {
         WriteFile(p.outer / "abc", "abc");
         fs::remove(p.dir / "abc");
         fs::create_symlink(p.outer / "abc", p.dir / "abc");
       },
       kInvalidArgument, "abc" + link},
      {"dangling link", [](const SealedPackage& p) { fs::create_symlink("nowhere", p.dir / "link"); }, kInvalidArgument,
       "link" + link},
      {"the sums are a link",
       [](const SealedPackage& p) {
         fs::rename(p.dir / "SHA256SUMS", p.outer / "SHA256SUMS");
         fs::create_symlink(p.outer / "SHA256SUMS", p.dir / "SHA256SUMS");
       },
       kInvalidArgument, "SHA256SUMS" + link},
      {"folder", [](const SealedPackage& p) { fs::create_directory(p.dir / "sub"); }, kInvalidArgument, "sub" + link},
      {"pipe", [](const SealedPackage& p) { REQUIRE(mkfifo((p.dir / "pipe").c_str(), 0600) == 0); }, kInvalidArgument,
       "pipe" + link},
      {"no sums", [](const SealedPackage& p) { fs::remove(p.dir / "SHA256SUMS"); }, kNotFound, "SHA256SUMS: "},
      {"no directory", [](const SealedPackage& p) { fs::remove_all(p.dir.path()); }, kNotFound, ""},
      {"empty sums", write_sums(""), kDataLoss, "abc: not listed in SHA256SUMS"},
      {"same line twice", write_sums(ok + kAbc + "  abc\n"), kInvalidArgument, line4},
      {"second sum for a file", write_sums(ok + kEmpty + "  abc\n"), kInvalidArgument, line4},
      {"empty line", write_sums(ok + "\n"), kInvalidArgument, line4},
      {"no name", write_sums(ok + kAbc + "  \n"), kInvalidArgument, line4},
      {"short sum", write_sums(ok + std::string(kAbc).substr(1) + "  x\n"), kInvalidArgument, line4},
      {"long sum", write_sums(ok + kAbc + "0  x\n"), kInvalidArgument, line4},
      {"one space", write_sums(ok + kAbc + " x\n"), kInvalidArgument, line4},
      {"a tab", write_sums(ok + kAbc + "\tx\n"), kInvalidArgument, line4},
      {"BSD format", write_sums(ok + "SHA256 (x) = " + kAbc + "\n"), kInvalidArgument, line4},
      {"upper-case sum", write_sums(upper), kInvalidArgument, "SHA256SUMS: line 1 is not"},
      {"sum of the sums", write_sums(ok + kAbc + "  SHA256SUMS\n"), kDataLoss, "SHA256SUMS: listed in"},
      {"a megabyte of sums", write_sums(std::string((1 << 20) + 1, '\n')), kInvalidArgument,
       "SHA256SUMS: has 1048577 bytes, at most 1048576 are allowed"},
  };
  for (const Case& c : cases) {
    const SealedPackage package;
    c.spoil(package);
    CAPTURE(c.what);
    const absl::Status status = package.Verify();
    CHECK(status.code() == c.code);
    CHECK(std::string(status.message()).substr(0, c.message.size()) == c.message);
  }
}

/// A model directory with sealed packages at these places.
struct ModelsDir {
  explicit ModelsDir(const std::vector<std::string>& places) {
    for (const std::string& place : places) {
      fs::create_directories(dir / place);
      WriteFile(dir / place + "/abc", "abc");
      WriteFile(dir / place + "/SHA256SUMS", std::string(kAbc) + "  abc\n");
    }
  }

  TempDir dir;
};

TEST_CASE("EveryPackageOfAModelDirectoryIsChecked") {
  ModelsDir models({"b/1", "a/2", "a/10"});
  const auto all = VerifyAllSums(models.dir.path());
  REQUIRE(all.status() == absl::OkStatus());
  CHECK(*all == std::vector<std::string>{models.dir / "a/10", models.dir / "a/2", models.dir / "b/1"});

  WriteFile(models.dir / "a/2/abc", "abd");
  const absl::Status status = VerifyAllSums(models.dir.path()).status();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  const std::string message(status.message());
  CHECK(message.find(models.dir / "a/2: abc: does not match") == 0);
}

TEST_CASE("WhatTheDaemonWouldPassOverIsNoPackage") {
  ModelsDir models({"a/1", "a/01", "a/new", ".a/1", "lost+found/1"});
  fs::create_directories(models.dir / "a/2");
  WriteFile(models.dir / "a/2/abc", "still being written");
  for (const char* passed_over : {"a/01", "a/new", ".a/1", "lost+found/1"}) {
    WriteFile(models.dir / passed_over + "/abc", "no match");
  }
  const auto all = VerifyAllSums(models.dir.path());
  REQUIRE(all.status() == absl::OkStatus());
  CHECK(*all == std::vector<std::string>{models.dir / "a/1"});
}

TEST_CASE("AModelDirectoryWithoutPackagesIsAnError") {
  const TempDir dir;
  CHECK(VerifyAllSums(dir.path()).status().code() == absl::StatusCode::kNotFound);
  CHECK(VerifyAllSums(dir / "missing").status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("ANameThatLeadsOutOfThePackageIsNeverFollowed") {
  for (const std::string& prefix : {std::string("../"), std::string("./"), std::string("sub/../")}) {
    SealedPackage package;
    WriteFile(package.outer / "abc", "abc");
    const std::string name = prefix + "abc";  // exists beside or inside, with this very sum
    WriteFile(package.dir / "SHA256SUMS", Sums() + kAbc + "  " + name + "\n");
    CHECK(package.Verify().message() == name + ": listed in SHA256SUMS but missing");
  }
  SealedPackage package;
  const std::string absolute = package.dir / "abc";
  WriteFile(package.dir / "SHA256SUMS", Sums() + kAbc + "  " + absolute + "\n");
  CHECK(package.Verify().message() == absolute + ": listed in SHA256SUMS but missing");
}

TEST_CASE("SealWritesTheFormatOfSha256sum") {
  SealedPackage package;
  fs::remove(package.dir / "SHA256SUMS");
  REQUIRE(SealSums(package.dir.path()) == absl::OkStatus());
  CHECK(FileContent(package.dir / "SHA256SUMS") == Sums());
  CHECK(package.Verify() == absl::OkStatus());
  CHECK(std::system(("cd '" + package.dir.path() + "' && sha256sum --check --strict --status SHA256SUMS").c_str()) ==
        0);
}

TEST_CASE("SealingAgainReplacesTheSumsInOneStep") {
  SealedPackage package;
  // A hard link keeps the old file's content in view: it must be replaced, not overwritten.
  fs::create_hard_link(package.dir / "SHA256SUMS", package.outer / "old");
  WriteFile(package.dir / "abc", "changed");
  REQUIRE(SealSums(package.dir.path()) == absl::OkStatus());
  CHECK(package.Verify() == absl::OkStatus());
  CHECK(FileContent(package.outer / "old") == Sums());
}

TEST_CASE("SealingLeavesNothingBehindHoweverTheDirectoryIsWritten") {
  for (const char* spelling : {"%", "%/", "%/.", "%/../package", "%//"}) {
    TempDir outer;
    const std::string dir = outer / "package";
    fs::create_directory(dir);
    WriteFile(dir + "/abc", "abc");
    std::string spelled = spelling;
    spelled.replace(0, 1, dir);
    CAPTURE(spelled);
    CHECK(SealSums(spelled) == absl::OkStatus());
    CHECK(FileContent(dir + "/SHA256SUMS") == std::string(kAbc) + "  abc\n");
    CHECK(std::distance(fs::directory_iterator(outer.path()), {}) == 1);
    CHECK(std::distance(fs::directory_iterator(dir), {}) == 2);
  }
}

TEST_CASE("TheNewSumsAreWrittenBesideThePackageNotIntoIt") {
  for (const char* spelling : {"%", "%/", "%/.", "%//"}) {
    SealedPackage package;
    std::string spelled = spelling;
    spelled.replace(0, 1, package.dir.path());
    const std::string beside = package.dir.path() + ".SHA256SUMS.tmp";
    fs::create_directory(beside);  // in the way
    CAPTURE(spelled);
    const absl::Status status = SealSums(spelled);
    fs::remove(beside);
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(status.message() == beside + ": cannot be written: File exists");
    CHECK(package.Verify() == absl::OkStatus());
  }
}

TEST_CASE("WhatCannotBeVerifiedIsNotSealed") {
  struct Case {
    const char* what;
    std::function<void(const SealedPackage&)> spoil;
    std::string message;
  };
  const std::string plain = ": a package holds plain files only, no links or folders";
  const std::vector<Case> cases = {
      {"link", [](const SealedPackage& p) { fs::create_symlink("abc", p.dir / "link"); }, "link" + plain},
      {"folder", [](const SealedPackage& p) { fs::create_directory(p.dir / "sub"); }, "sub" + plain},
      {"a name of two lines", [](const SealedPackage& p) { WriteFile(p.dir / "a\nb", ""); },
       "a\\nb: the name of a file has characters beyond printable ASCII"},
      {"a name that is no UTF-8", [](const SealedPackage& p) { WriteFile(p.dir / "a\xff", ""); },
       "a\\377: the name of a file has characters beyond printable ASCII"},
  };
  for (const Case& c : cases) {
    const SealedPackage package;
    c.spoil(package);
    CAPTURE(c.what);
    const absl::Status status = SealSums(package.dir.path());
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.message() == c.message);
    CHECK(FileContent(package.dir / "SHA256SUMS") == Sums());
  }
  CHECK(SealSums("/nonexistent/package").code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bertha::models
