// Turns texts from the command line, or the lines of a file or pipe, into chunks for calls: numbered, split into pairs
// and checked, so that what no server would take never spoils a call of good inputs.
//
// Thread-compatible. Holds at most one chunk and one line at a time, however long the source is.
#ifndef BERTHA_CLIENTS_CLI_INPUT_READER_H_
#define BERTHA_CLIENTS_CLI_INPUT_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/line_reader.h"
#include "clients/cli/row.h"

namespace bertha::cli {

struct InputOptions {
  /// Most inputs of a chunk.
  size_t max_inputs = 32;
  /// Most bytes of texts and pairs of a chunk with more than one input; well below gRPC's default message limit of 4
  /// MiB.
  size_t max_bytes = 1 << 20;
  /// Longer inputs are refused here, with their size, and never held in memory.
  size_t max_text_bytes = 64 << 20;
  /// Splits each input into text and pair at its first occurrence; an input without it is refused. Empty: no split.
  std::string pair_separator;
  /// The second text of every input. Unset: none.
  std::optional<std::string> pair;
  /// What makes an input of a line that stands in `text`; its error is the input's problem. Unset: the line is the
  /// text.
  std::function<absl::Status(Input&)> parse;
};

class InputReader {
 public:
  /// The texts themselves.
  InputReader(std::vector<std::string> texts, InputOptions options);
  /// The lines of `fd`, which must stay open and is not closed.
  InputReader(int fd, InputOptions options);

  /// The next inputs; none at the end. From a pipe or a terminal it returns what is there rather than wait for a full
  /// chunk, so that whoever types or follows a log sees answers as lines come.
  absl::StatusOr<Chunk> Next();

 private:
  /// Puts the next text into `pending_`; false at the end.
  absl::StatusOr<bool> ReadPending();
  Input MakeInput(LineReader::Line line);

  const InputOptions options_;
  std::vector<std::string> texts_;
  size_t next_text_ = 0;
  std::optional<LineReader> lines_;
  std::optional<LineReader::Line> pending_;  // read, but it belongs to the next chunk
  uint64_t next_index_ = 0;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_INPUT_READER_H_
