// How rows become text, whatever the task: a table, blocks, JSON lines. What differs between tasks is handed in.
// Pure: every method returns what to print, as UTF-8.
//
// Writers are fed in the order of the inputs, a block of rows at a time. Thread-compatible.
#ifndef BERTHA_CLIENTS_CLI_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_OUTPUT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "clients/cli/json.h"
#include "clients/cli/row.h"

namespace bertha::cli {

class RowWriter {
 public:
  virtual ~RowWriter() = default;
  /// Before the first row.
  virtual std::string Begin() { return ""; }
  virtual std::string Rows(absl::Span<const Row> rows) = 0;
  /// After the last row.
  virtual std::string End() { return ""; }
  /// Not OK: what was to be kept elsewhere than in the returned text could not be; the run must stop.
  virtual absl::Status status() const { return absl::OkStatus(); }
};

struct TableStyle {
  /// Cells of a line; texts are shortened to fit.
  size_t width = 120;
  /// Escape sequences for colours.
  bool color = false;
};

/// What a table shows of a task, between the number of a row and its tokens.
class TableColumns {
 public:
  virtual ~TableColumns() = default;
  /// Called once, with the first rows, before all else: chooses the widths.
  virtual void Fit(absl::Span<const Row> rows) = 0;
  /// In cells, the same for Heading and all Cells.
  virtual size_t Width() const = 0;
  virtual std::string Heading() const = 0;
  virtual std::string Cells(const Row& row) = 0;  ///< of a row that has a result
  /// Lines after the last row.
  virtual std::string End() { return ""; }
};

/// One line a text: its columns, tokens, time, text; and a last line with the means.
std::unique_ptr<RowWriter> MakeTableWriter(TableStyle style, std::unique_ptr<TableColumns> columns);

/// The lines about a row that has a result, each ended.
using BlockBody = std::function<std::string(const Row&)>;

/// A block of lines for each text. `single`: there is only one, and where its time went follows; of several the means
/// follow the last.
std::unique_ptr<RowWriter> MakeBlockWriter(TableStyle style, bool single, BlockBody body);

/// The members of the task, in order.
using JsonBody = std::function<Json(const Result&)>;

/// One object a line: index, the members of the task, then timing_us, tokens, truncated, windows, model, version,
/// engine, batch_size. A failed input has only index and error {code, message}.
std::unique_ptr<RowWriter> MakeJsonWriter(JsonBody body);

/// "INVALID_ARGUMENT": the name of a status code as gRPC spells it.
std::string CodeName(absl::StatusCode code);

/// "INVALID_ARGUMENT: what was wrong".
std::string ErrorText(const absl::Status& error);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_OUTPUT_H_
