// One untrusted file in memory: its name for messages, and its lines.
//
// Thread-safety: a plain value; the functions are pure.
#ifndef BERTHA_TOKENIZER_SOURCE_FILE_H_
#define BERTHA_TOKENIZER_SOURCE_FILE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

struct SourceFile {
  std::string path;
  std::string content;

  /// NOT_FOUND if it cannot be read; INVALID_ARGUMENT if it is larger than JsonDocument::kMaxSize.
  static absl::StatusOr<SourceFile> Read(const std::string& path);

  /// The folder that it is in, and the path of another file in that folder.
  std::string folder() const;
  std::string Beside(absl::string_view name) const;

  /// INVALID_ARGUMENT or UNIMPLEMENTED whose message starts with the path, and with the number of the line (from 1).
  absl::Status Invalid(absl::string_view what) const;
  absl::Status InvalidLine(size_t line, absl::string_view what) const;
  absl::Status Unknown(absl::string_view what) const;
  /// An error about the content, with the path before it.
  absl::Status Annotated(const absl::Status& error) const;

  /// The lines without their ends, which are LF, CR LF or CR (as Python reads text); the last needs none. They point
  /// into `content`. INVALID_ARGUMENT if a line is not UTF-8, or if the file begins with a byte order mark, which the
  /// reference libraries take for a part of the first token.
  absl::StatusOr<std::vector<absl::string_view>> Lines() const;
};

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_SOURCE_FILE_H_
