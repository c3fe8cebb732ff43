#include "clients/cli/npy_writer.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/catch.h"

namespace bertha::cli {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "bertha-npy-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

Row Good(std::vector<float> vector) { return {{}, Result{.body = Vectors{.vector = std::move(vector)}}}; }
Row Bad() { return {{}, absl::InvalidArgumentError("no")}; }

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<float> Numbers(const std::string& content) {
  std::vector<float> numbers((content.size() - 128) / sizeof(float));
  std::memcpy(numbers.data(), content.data() + 128, numbers.size() * sizeof(float));
  return numbers;
}

TEST_CASE("The file has NumPy's header and the vectors one after another") {
  const Folder folder;
  const std::string path = folder / "v.npy";
  auto writer = MakeNpyWriter(path);
  REQUIRE(writer.ok());
  CHECK((*writer)->Rows({Good({1, 2, 3})}).empty());
  CHECK((*writer)->Rows({Good({4, 5, 6.5f})}).empty());
  CHECK_FALSE(fs::exists(path));  // not before the end
  CHECK((*writer)->End() == path + ": 2 x 3 float32\n");
  CHECK((*writer)->status().ok());
  CHECK_FALSE(fs::exists(path + ".part"));
  const std::string content = Content(path);
  CHECK(absl::StartsWith(content, std::string("\x93NUMPY\x01\x00\x76\x00", 10)));
  CHECK(absl::StrContains(content, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } "));
  CHECK(content[127] == '\n');
  CHECK(Numbers(content) == std::vector<float>{1, 2, 3, 4, 5, 6.5f});
}

TEST_CASE("Failed texts have rows of NaN, before the dimension is known too") {
  const Folder folder;
  const std::string path = folder / "v.npy";
  auto writer = MakeNpyWriter(path);
  REQUIRE(writer.ok());
  (*writer)->Rows({Bad(), Good({1, 2}), Bad()});
  CHECK(absl::StrContains((*writer)->End(), "3 x 2"));
  const auto numbers = Numbers(Content(path));
  REQUIRE(numbers.size() == 6);
  CHECK(std::isnan(numbers[0]));
  CHECK(std::isnan(numbers[1]));
  CHECK(numbers[2] == 1);
  CHECK(numbers[3] == 2);
  CHECK(std::isnan(numbers[5]));
}

TEST_CASE("What cannot be written is an error, and leaves what was there") {
  const Folder folder;
  const std::string path = folder / "v.npy";
  std::ofstream(path) << "before";
  CHECK(absl::StrContains(MakeNpyWriter(folder / "none/v.npy").status().message(), "cannot write"));
  auto writer = MakeNpyWriter(path);
  REQUIRE(writer.ok());
  (*writer)->Rows({Good({1, 2})});
  CHECK((*writer)->status().ok());
  (*writer)->Rows({Good({1, 2, 3})});
  CHECK(absl::StrContains((*writer)->status().message(), "vectors of 2 and of 3 dimensions"));
  CHECK((*writer)->End().empty());
  CHECK(Content(path) == "before");
}

}  // namespace
}  // namespace bertha::cli
