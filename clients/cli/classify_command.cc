#include "clients/cli/classify_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/answer_chunk.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/input_reader.h"
#include "clients/cli/output.h"
#include "clients/cli/pipeline.h"
#include "clients/cli/progress.h"
#include "clients/cli/rpc_channel.h"
#include "clients/cli/rpc_classifier.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {
namespace {

v1::ClassifyRequest Prototype(const ClassifyOptions& options) {
  v1::ClassifyRequest request;
  request.set_model(options.model);
  request.set_version(options.model_version);
  v1::ClassifyOptions& wire = *request.mutable_options();
  wire.set_top_k(options.top_k);
  wire.set_threshold(options.threshold);
  wire.set_raw_logits(options.logits);
  switch (options.truncation) {
    case Truncation::kRight:
      wire.set_truncation(v1::TRUNCATION_POLICY_RIGHT);
      break;
    case Truncation::kLeft:
      wire.set_truncation(v1::TRUNCATION_POLICY_LEFT);
      break;
    case Truncation::kError:
      wire.set_truncation(v1::TRUNCATION_POLICY_ERROR);
      break;
  }
  return request;
}

std::unique_ptr<RowWriter> MakeWriter(const ClassifyOptions& options, bool single) {
  const TableStyle style{.width = TerminalWidth(), .color = UseColor()};
  switch (options.format) {
    case Format::kJson:
      return MakeJsonWriter(options.logits);
    case Format::kCsv:
      return MakeCsvWriter();
    case Format::kTable:
      break;
  }
  return single ? MakeDetailWriter(style) : MakeTableWriter(style);
}

/// Draws on standard error, and only where it cannot tangle with the rows or with what somebody types.
class ProgressBar {
 public:
  explicit ProgressBar(int input_fd)
      : shown_(isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO) && input_fd >= 0 && !isatty(input_fd)) {
    struct stat info {};
    if (input_fd >= 0 && fstat(input_fd, &info) == 0 && S_ISREG(info.st_mode)) {
      state_.total_bytes = static_cast<uint64_t>(info.st_size);
    }
  }
  ~ProgressBar() { Erase(); }

  void Advance(uint64_t inputs, uint64_t failed, uint64_t end_bytes) {
    state_.inputs += inputs;
    state_.failed += failed;
    state_.bytes = end_bytes;
    state_.elapsed = absl::Now() - start_;
    if (shown_ && pace_.IsDue(state_.elapsed))
      std::fputs(absl::StrCat("\r\033[K", ProgressLine(state_)).c_str(), stderr);
  }
  void Erase() {
    if (pace_.started()) std::fputs("\r\033[K", stderr);
    pace_ = {};
  }

 private:
  const bool shown_;
  const absl::Time start_ = absl::Now();
  ProgressState state_;
  ProgressPace pace_;
};

/// Writes the outcomes and keeps count of the run.
class Run {
 public:
  Run(const ClassifyOptions& options, int input_fd)
      : options_(options), writer_(MakeWriter(options, input_fd < 0 && options.texts.size() == 1)), bar_(input_fd) {}

  void Write(const Outcome& outcome) {
    if (!outcome.fatal.ok()) Stop(outcome);
    std::string text = begun_ ? "" : writer_->Begin();
    begun_ = true;
    text += writer_->Rows(outcome.rows);
    WriteOut(text);
    uint64_t failed = 0;
    for (const Row& row : outcome.rows) failed += NoteFailure(row);
    inputs_ += outcome.rows.size();
    failed_ += failed;
    bar_.Advance(outcome.rows.size(), failed, outcome.end_bytes);
  }

  int Finish(const absl::Status& read_status) {
    bar_.Erase();
    WriteOut(absl::StrCat(begun_ ? "" : writer_->Begin(), writer_->End()));
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
    if (row.answer.ok()) return false;
    if (first_failure_.empty()) {
      const absl::Status& error = row.answer.status();
      first_failure_ = absl::StrCat(row.input.index, ": ", CodeName(error.code()), ": ", error.message());
    }
    return true;
  }

  [[noreturn]] void Stop(const Outcome& outcome) {
    bar_.Erase();
    const std::string progress = inputs_ > 0 ? absl::StrCat("stopped after ", inputs_, " inputs: ") : "";
    if (outcome.unreachable) {
      PrintError(progress + UnreachableMessage(options_.address, outcome.fatal));
      ExitNow(kExitUnreachable);
    }
    PrintError(absl::StrCat(progress, CodeName(outcome.fatal.code()), ": ", outcome.fatal.message()));
    ExitNow(kExitFailed);
  }

  const ClassifyOptions& options_;
  const std::unique_ptr<RowWriter> writer_;
  ProgressBar bar_;
  bool begun_ = false;
  uint64_t inputs_ = 0;
  uint64_t failed_ = 0;
  std::string first_failure_;
};

/// The descriptor to read lines from; -1 if the texts are on the command line.
absl::StatusOr<int> OpenInput(const ClassifyOptions& options) {
  const bool dash = options.texts == std::vector<std::string>{"-"};
  if (!options.file && !options.texts.empty() && !dash) return -1;
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

InputReader MakeReader(const ClassifyOptions& options, int fd) {
  InputOptions how{.max_inputs = options.batch, .pair_separator = options.pair_separator, .pair = options.pair};
  return fd < 0 ? InputReader(options.texts, std::move(how)) : InputReader(fd, std::move(how));
}

}  // namespace

int RunClassify(const ClassifyOptions& options) {
  const auto fd = OpenInput(options);
  if (!fd.ok()) {
    PrintError(fd.status().message());
    return kExitUsage;
  }
  const absl::Cleanup close_file = [fd = *fd] {
    if (fd > STDIN_FILENO) close(fd);
  };
  if (*fd >= 0 && isatty(*fd) && isatty(STDERR_FILENO)) {
    PrintError("reading texts from the terminal, one a line; Ctrl-D ends");
  }

  InputReader reader = MakeReader(options, *fd);
  RpcClassifier classifier(OpenChannel(options.address), Prototype(options));
  const RetryPolicy policy{.timeout = absl::Seconds(options.timeout_seconds)};
  Run run(options, *fd);
  const absl::Status read_status =
      RunPipeline(options.in_flight, {.read = [&] { return reader.Next(); },
                                      .answer = [&](Chunk c) { return AnswerChunk(std::move(c), classifier, policy); },
                                      .write = [&](Outcome outcome) { run.Write(outcome); }});
  return run.Finish(read_status);
}

}  // namespace bertha::cli
