#include "tokenizer/read_file.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace bertha::tokenizer {

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  const auto too_large = [&] {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has more than ", limit, " bytes, which is the limit"));
  };
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size > limit) return too_large();
  // Only a regular file's size tells how much there is to read.
  std::ifstream file(path, std::ios::binary);
  std::string content;
  char chunk[1 << 16];
  while (file.read(chunk, sizeof(chunk)) || file.gcount() > 0) {
    content.append(chunk, static_cast<size_t>(file.gcount()));
    if (content.size() > limit) return too_large();
  }
  if (!file.eof() || file.bad()) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return content;
}

}  // namespace bertha::tokenizer
