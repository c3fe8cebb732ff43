// What all commands that send texts to a model have in common: where the texts come from, several calls in flight,
// order, progress, failures, exit code. Knows nothing of the task.
#ifndef BERTHA_CLIENTS_CLI_RUN_TEXTS_H_
#define BERTHA_CLIENTS_CLI_RUN_TEXTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/input_reader.h"
#include "clients/cli/model_choice.h"
#include "clients/cli/output.h"
#include "clients/cli/send_chunk.h"
#include "clients/cli/server.h"

namespace bertha::cli {

enum class LongTexts { kRight, kLeft, kError, kWindow };

/// Who goes first when the server has more to do than it can.
enum class Priority { kHigh, kNormal, kBatch };

struct RunOptions {
  Server server;
  ModelChoice model;
  /// Texts of the command line. None, or only "-": lines of standard input.
  std::vector<std::string> texts;
  /// Path of a file whose lines are the texts; "-" is standard input.
  std::optional<std::string> file;
  LongTexts long_texts = LongTexts::kRight;
  /// Tokens that windows share; unset: the server's default.
  std::optional<uint32_t> stride;
  Priority priority = Priority::kNormal;
  /// For one call with its retries.
  double timeout_seconds = 30;
  /// Inputs of one call.
  size_t batch = 32;
  /// Calls at once.
  size_t in_flight = 4;
};

/// True if the run is about one text of the command line.
bool IsSingleText(const RunOptions& options);

/// What standard output is.
TableStyle StyleOfOutput();

/// `how`: of it max_inputs is set here. `lines`: what a line of the source is, in the plural, for whoever types.
/// Returns the exit code.
int RunTexts(const RunOptions& options, InputOptions how, Caller& caller, RowWriter& writer,
             absl::string_view lines = "texts");

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_RUN_TEXTS_H_
