// What the process is attached to, and writing to it.
#ifndef BERTHA_CLIENTS_CLI_TERMINAL_H_
#define BERTHA_CLIENTS_CLI_TERMINAL_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace bertha::cli {

/// Columns of the terminal on standard output; 120 if it is none.
size_t TerminalWidth();

/// True if standard output is a terminal that knows colours and NO_COLOR is not set.
bool UseColor();

/// Writes all of `text` to standard output. Does not return if that is impossible: ends the process, quietly and as a
/// success if the reader has gone (`| head`), else with a message and kExitFailed.
void WriteOut(absl::string_view text);

/// Prints "bertha: <message>" as one line on standard error.
void PrintError(absl::string_view message);

/// Ends the process at once, without waiting for threads that block in a read or in a call.
[[noreturn]] void ExitNow(int code);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_TERMINAL_H_
