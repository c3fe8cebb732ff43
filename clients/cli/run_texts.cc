#include "clients/cli/run_texts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/pipeline.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/rpc_channel.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {
namespace {

/// Only where it cannot tangle with the rows or with what somebody types.
bool ShowsProgress(int input_fd) {
  return isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && input_fd >= 0 && !isatty(input_fd);
}

std::optional<uint64_t> SizeOf(int input_fd) {
  struct stat info {};
  if (input_fd < 0 || fstat(input_fd, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info.st_size);
}

/// Writes the outcomes and keeps count of the run.
class Run {
 public:
  Run(const std::string& address, RowWriter& writer, int input_fd)
      : address_(address), writer_(writer), bar_(ShowsProgress(input_fd), SizeOf(input_fd)) {}

  void Write(const Outcome& outcome) {
    if (!outcome.fatal.ok()) Stop(outcome);
    std::string text = begun_ ? "" : writer_.Begin();
    begun_ = true;
    text += writer_.Rows(outcome.rows);
    CheckWriter();
    WriteOut(text);
    uint64_t failed = 0;
    for (const Row& row : outcome.rows) failed += NoteFailure(row);
    inputs_ += outcome.rows.size();
    failed_ += failed;
    bar_.Advance(outcome.rows.size(), failed, outcome.end_bytes);
  }

  int Finish(const absl::Status& read_status) {
    bar_.Erase();
    std::string text = begun_ ? "" : writer_.Begin();
    text += writer_.End();
    CheckWriter();
    WriteOut(text);
    if (failed_ > 0) {
      PrintError(absl::StrCat(failed_, " of ", inputs_, inputs_ == 1 ? " input" : " inputs",
                              " failed; the first: index ", first_failure_));
    }
    if (!read_status.ok()) {
      PrintError(absl::StrCat("stopped after ", inputs_, " inputs: cannot read on: ", read_status.message()));
    }
    return failed_ == 0 && read_status.ok() ? kExitOk : kExitFailed;
  }

 private:
  bool NoteFailure(const Row& row) {
    if (row.result.ok()) return false;
    if (first_failure_.empty()) first_failure_ = absl::StrCat(row.input.index, ": ", ErrorText(row.result.status()));
    return true;
  }

  void CheckWriter() {
    if (writer_.status().ok()) return;
    bar_.Erase();
    PrintError(writer_.status().message());
    ExitNow(kExitFailed);
  }

  [[noreturn]] void Stop(const Outcome& outcome) {
    bar_.Erase();
    const std::string progress = inputs_ > 0 ? absl::StrCat("stopped after ", inputs_, " inputs: ") : "";
    if (outcome.unreachable) {
      PrintError(progress + UnreachableMessage(address_, outcome.fatal));
      ExitNow(kExitUnreachable);
    }
    PrintError(absl::StrCat(progress, CodeName(outcome.fatal.code()), ": ", WithCommand(outcome.fatal.message())));
    ExitNow(kExitFailed);
  }

  const std::string& address_;
  RowWriter& writer_;
  ProgressBar bar_;
  bool begun_ = false;
  uint64_t inputs_ = 0;
  uint64_t failed_ = 0;
  std::string first_failure_;
};

bool IsDash(const RunOptions& options) { return options.texts == std::vector<std::string>{"-"}; }

/// The descriptor to read lines from; -1 if the texts are on the command line.
absl::StatusOr<int> OpenInput(const RunOptions& options) {
  if (!options.file && !options.texts.empty() && !IsDash(options)) return -1;
  if (!options.file || *options.file == "-") return STDIN_FILENO;
  const int fd = open(options.file->c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", *options.file));
  if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", *options.file, ": it is a directory"));
  }
  return fd;
}

}  // namespace

bool IsSingleText(const RunOptions& options) { return !options.file && options.texts.size() == 1 && !IsDash(options); }

TableStyle StyleOfOutput() { return {.width = TerminalWidth(), .color = UseColor()}; }

int RunTexts(const RunOptions& options, InputOptions how, Caller& caller, RowWriter& writer, absl::string_view lines) {
  const auto fd = OpenInput(options);
  if (!fd.ok()) {
    PrintError(fd.status().message());
    return kExitUsage;
  }
  const absl::Cleanup close_file = [fd = *fd] {
    if (fd > STDIN_FILENO) close(fd);
  };
  if (*fd >= 0 && isatty(*fd) && isatty(STDERR_FILENO)) {
    PrintError(absl::StrCat("reading ", lines, " from the terminal, one a line; Ctrl-D ends"));
  }

  how.max_inputs = options.batch;
  InputReader reader = *fd < 0 ? InputReader(options.texts, std::move(how)) : InputReader(*fd, std::move(how));
  const RetryPolicy policy{.timeout = absl::Seconds(options.timeout_seconds)};
  Run run(options.server.address, writer, *fd);
  const absl::Status read_status =
      RunPipeline(options.in_flight, {.read = [&] { return reader.Next(); },
                                      .answer = [&](Chunk c) { return SendChunk(std::move(c), caller, policy); },
                                      .write = [&](Outcome outcome) { run.Write(outcome); }});
  return run.Finish(read_status);
}

}  // namespace bertha::cli
