// How rows become text: a table for people, JSON lines, CSV. Pure: every method returns what to print, as UTF-8.
//
// Writers are fed in the order of the inputs, a block of rows at a time. Thread-compatible.
#ifndef BERTHA_CLIENTS_CLI_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_OUTPUT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "clients/cli/answer.h"

namespace bertha::cli {

class RowWriter {
 public:
  virtual ~RowWriter() = default;
  /// Before the first row.
  virtual std::string Begin() { return ""; }
  virtual std::string Rows(absl::Span<const Row> rows) = 0;
  /// After the last row.
  virtual std::string End() { return ""; }
};

struct TableStyle {
  /// Cells of a line; texts are shortened to fit.
  size_t width = 120;
  /// Escape sequences for colours.
  bool color = false;
};

/// One line a text: best label, its score and a bar, tokens, time, text; and a last line with the means. Columns fit
/// the first block.
std::unique_ptr<RowWriter> MakeTableWriter(TableStyle style);

/// Every label of each text, and where its time went: the form for a single text.
std::unique_ptr<RowWriter> MakeDetailWriter(TableStyle style);

/// One object a line. Keys: index, label, score, scores, timing_us, tokens, truncated, model, version, engine,
/// batch_size; `logits` if `with_logits`. A failed input has only index and error {code, message}.
std::unique_ptr<RowWriter> MakeJsonWriter(bool with_logits);

/// A header, then one record a text, ended by LF and quoted as in RFC 4180; `error` is the last field.
std::unique_ptr<RowWriter> MakeCsvWriter();

/// "INVALID_ARGUMENT": the name of a status code as gRPC spells it.
std::string CodeName(absl::StatusCode code);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_OUTPUT_H_
