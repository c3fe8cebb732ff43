// Vectors of texts as a NumPy file: float32 [texts, dimension], row i for input i. The format, version 1.0, is
// described in NumPy's documentation of `numpy.lib.format`.
//
// The file is written beside its place, as PATH.part, and moved there at the end: a run that fails leaves what was
// there before. A text that failed has a row of NaN. Thread-compatible.
#ifndef BERTHA_CLIENTS_CLI_NPY_WRITER_H_
#define BERTHA_CLIENTS_CLI_NPY_WRITER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "clients/cli/output.h"

namespace bertha::cli {

/// Rows must have Vectors, all of one dimension. Prints one line at the end; status() is not OK when the disk is full.
/// Errors: the file cannot be opened.
absl::StatusOr<std::unique_ptr<RowWriter>> MakeNpyWriter(const std::string& path);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_NPY_WRITER_H_
