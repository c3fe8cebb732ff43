// Lines from a file descriptor, with bounded memory: one buffer, and never more of a line than its limit.
//
// Thread-compatible. Does not own the descriptor, which must be in blocking mode.
// A line ends with LF or CR LF; the last one may lack it. A byte-order mark before the first line is dropped.
#ifndef BERTHA_CLIENTS_CLI_LINE_READER_H_
#define BERTHA_CLIENTS_CLI_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace bertha::cli {

class LineReader {
 public:
  struct Line {
    /// Empty if `size` is over the limit.
    std::string text;
    /// Bytes of the line as it stood in the source, without its end.
    uint64_t size = 0;
  };

  /// `max_line_bytes`: longer lines are skipped, with only their size reported.
  LineReader(int fd, size_t max_line_bytes) : fd_(fd), max_line_bytes_(max_line_bytes) {}

  /// Reads the next line; false at the end of the input. Blocks until a whole line is there.
  absl::StatusOr<bool> Next(Line* line);

  /// True if Next would wait for whoever writes the other end: no whole line is buffered and none is to be had at once.
  bool WouldBlock();

  /// Bytes of the source that the returned lines took, ends included.
  uint64_t consumed() const { return consumed_; }

 private:
  /// Reads what is there, blocking for at least a byte; false at the end.
  absl::StatusOr<bool> Fill();
  /// Where in buffer_ the next line ends; npos if its end is not there yet. Looks at each byte once.
  size_t FindLineEnd();

  const int fd_;
  const size_t max_line_bytes_;
  std::string buffer_;
  size_t position_ = 0;  // of the next line in buffer_
  size_t searched_ = 0;  // no line end is between position_ and here
  uint64_t consumed_ = 0;
  bool at_end_ = false;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_LINE_READER_H_
