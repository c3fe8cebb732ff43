#include "tokenizer/source_file.h"

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tokenizer/json_reader.h"
#include "tokenizer/read_file.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {

absl::StatusOr<SourceFile> SourceFile::Read(const std::string& path) {
  TOKENIZER_ASSIGN_OR_RETURN(std::string content, ReadFile(path, JsonDocument::kMaxSize));
  return SourceFile{path, std::move(content)};
}

std::string SourceFile::folder() const { return std::filesystem::path(path).parent_path().string(); }

std::string SourceFile::Beside(absl::string_view name) const {
  return (std::filesystem::path(path).parent_path() / std::string(name)).string();
}

absl::Status SourceFile::Invalid(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::Status SourceFile::InvalidLine(size_t line, absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", line, ": ", what));
}

absl::Status SourceFile::Unknown(absl::string_view what) const {
  return absl::UnimplementedError(absl::StrCat(path, ": ", what));
}

absl::Status SourceFile::Annotated(const absl::Status& error) const {
  return absl::Status(error.code(), absl::StrCat(path, ": ", error.message()));
}

absl::StatusOr<std::vector<absl::string_view>> SourceFile::Lines() const {
  constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (absl::StartsWith(content, kByteOrderMark)) return InvalidLine(1, "starts with a byte order mark; remove it");
  std::vector<absl::string_view> lines;
  absl::string_view rest = content;
  while (!rest.empty()) {
    const absl::string_view line = rest.substr(0, rest.find_first_of("\r\n"));
    if (const size_t at = FindInvalidUtf8(line); at != absl::string_view::npos) {
      return InvalidLine(lines.size() + 1, absl::StrCat("invalid UTF-8 at byte ", at, " of the line"));
    }
    lines.push_back(line);
    rest.remove_prefix(line.size());
    rest.remove_prefix(absl::StartsWith(rest, "\r\n") ? 2 : rest.empty() ? 0 : 1);
  }
  return lines;
}

}  // namespace bertha::tokenizer
