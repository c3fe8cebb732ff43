// Any bytes as vocabulary files: refused with an error that names the file, or a tokenizer that keeps its promises.
//
// What the bytes of an input mean:
//
//   byte 0  bits 0-1: vocab.txt; vocab.json with merges.txt, loaded by the name of the one or of the other;
//   spiece.model
//           bits 2-3: the file beside it: tokenizer_config.json, special_tokens_map.json, added_tokens.json, none
//   rest    up to the first NUL the file beside it; then the vocabulary: of two files, up to the next NUL the
//   vocab.json
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/tokenizer_properties.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_files.h"

namespace bertha::tokenizer::fuzz {
namespace {

/// A folder of this process, with the files of one input at a time.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / absl::StrCat("bertha-fuzz-", ::getpid())) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  void Clear() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) std::filesystem::remove(entry.path());
  }
  std::string Write(const char* name, absl::string_view content) const {
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    FUZZ_CHECK(file.good());
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_;
};

/// Takes what is before the next NUL, and the NUL, off `bytes`.
absl::string_view TakePart(absl::string_view& bytes) {
  const absl::string_view part = bytes.substr(0, bytes.find('\0'));
  bytes.remove_prefix(std::min(part.size() + 1, bytes.size()));
  return part;
}

/// Writes the files of an input, and returns the path of the one to load.
std::string WriteFiles(const Folder& folder, absl::string_view data) {
  constexpr const char* kBeside[] = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"};
  folder.Clear();
  const auto mode = static_cast<unsigned char>(data[0]);
  data.remove_prefix(1);
  const absl::string_view beside = TakePart(data);
  if ((mode >> 2 & 3) < std::size(kBeside)) folder.Write(kBeside[mode >> 2 & 3], beside);
  if ((mode & 3) == 0) return folder.Write("vocab.txt", data);
  if ((mode & 3) == 3) return folder.Write("spiece.model", data);
  const std::string vocab = folder.Write("vocab.json", TakePart(data));
  const std::string merges = folder.Write("merges.txt", data);
  return (mode & 3) == 1 ? vocab : merges;
}

/// NOT_FOUND: a vocab.txt that looks like a merges.txt has no vocab.json beside it.
void CheckError(const Folder& folder, const absl::Status& status) {
  FUZZ_CHECK_THAT(status.code() == absl::StatusCode::kInvalidArgument ||
                      status.code() == absl::StatusCode::kUnimplemented || status.code() == absl::StatusCode::kNotFound,
                  status.ToString());
  FUZZ_CHECK_THAT(absl::StartsWith(status.message(), folder.path() + "/"), status.ToString());
  FUZZ_CHECK_THAT(absl::StrContains(status.message(), ": "), status.ToString());
  CheckMessage(status);
}

void Check(absl::string_view data) {
  if (data.empty()) return;
  static const Folder folder;
  const std::string path = WriteFiles(folder, data);
  const auto tokenizer = Tokenizer::FromFile(path);
  if (tokenizer.ok()) {
    CheckTokenizer(**tokenizer);
    // What the files are rewritten to is all there is to them.
    const auto json = ReadAsTokenizerJson(path);
    FUZZ_CHECK(json.ok() && Tokenizer::FromJson(json->content).ok());
  } else {
    CheckError(folder, tokenizer.status());
  }
}

}  // namespace
}  // namespace bertha::tokenizer::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bertha::tokenizer::fuzz::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
