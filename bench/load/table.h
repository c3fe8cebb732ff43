// Rows of text files that come from somewhere else: plain lines, CSV (RFC 4180), JSON lines.
//
// Pure functions. All of them refuse what is not UTF-8 and name the line; a byte-order mark at the begin is dropped.
// Lines end with LF or CR LF; the last one may lack it.
#ifndef BERTHA_BENCH_LOAD_TABLE_H_
#define BERTHA_BENCH_LOAD_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::load {

/// One file in memory.
struct Source {
  std::string path;  ///< for messages
  std::string content;

  /// NOT_FOUND if it cannot be read, INVALID_ARGUMENT if it is too large or not UTF-8.
  static absl::StatusOr<Source> Read(const std::string& path);
  /// INVALID_ARGUMENT if it is not UTF-8.
  static absl::StatusOr<Source> Of(std::string path, std::string content);

  /// INVALID_ARGUMENT: "PATH, line N: WHAT".
  absl::Status Invalid(size_t line, absl::string_view what) const;
};

struct Line {
  size_t number = 0;  ///< from 1
  absl::string_view text;
};

/// Those that are not empty. They point into `source`.
std::vector<Line> LinesOf(const Source& source);

struct Row {
  size_t line = 0;  ///< where it begins, from 1
  std::vector<std::string> fields;
};

/// The named columns of a CSV file with a header, in the order of `columns`. Fields may be quoted and then have commas,
/// line ends and doubled quotes inside. Empty lines are no rows.
absl::StatusOr<std::vector<Row>> CsvColumns(const Source& source, const std::vector<std::string>& columns);

/// The named members of the object on each line: strings, or numbers and booleans as they are written in JSON.
absl::StatusOr<std::vector<Row>> JsonlColumns(const Source& source, const std::vector<std::string>& columns);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_TABLE_H_
