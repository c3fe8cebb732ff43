#include "clients/cli/eval_command.h"

#include <unistd.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/eval/study.h"
#include "bench/load/texts.h"
#include "clients/cli/classify_task.h"
#include "clients/cli/eval_choice.h"
#include "clients/cli/eval_output.h"
#include "clients/cli/eval_tally.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/list_models.h"
#include "clients/cli/pipeline.h"
#include "clients/cli/progress_bar.h"
#include "clients/cli/terminal.h"
#include "clients/cli/write_file.h"

namespace bertha::cli {
namespace {

constexpr double kListSeconds = 10;

struct LabelledTexts {
  std::vector<std::string> texts;
  std::vector<std::string> labels;  ///< of the models' names, after the map
};

absl::StatusOr<LabelledTexts> ReadTexts(const EvalOptions& options) {
  auto rows = load::ReadLabelled(options.file, options.text_column, options.label_column);
  if (!rows.ok()) return rows.status();
  LabelledTexts read;
  for (load::Labelled& row : *rows) {
    const auto mapped = options.label_map.find(row.label);
    read.labels.push_back(mapped == options.label_map.end() ? row.label : mapped->second);
    read.texts.push_back(std::move(row.text));
  }
  return read;
}

v1::ClassifyRequest Prototype(const EvalOptions& options, const ModelEntry& entry) {
  auto request = RequestOf<v1::ClassifyRequest>(options.run);
  request.set_model(entry.model.name);
  request.set_version(entry.model.version);
  request.mutable_options()->set_top_k(1);
  SetLongTexts(options.run, *request.mutable_options());
  return request;
}

/// One model judges all texts.
class Evaluation {
 public:
  Evaluation(const EvalOptions& options, const ModelEntry& entry, const LabelledTexts& texts)
      : options_(options),
        texts_(texts),
        caller_(options.run.server, Prototype(options, entry)),
        tally_(entry, texts.labels),
        bar_(isatty(STDERR_FILENO), texts.texts.size()) {}

  /// What ends the run ends the process, as RunTexts does.
  eval::ModelResult Run() {
    Connect();
    const absl::Time begin = absl::Now();
    InputReader reader(texts_.texts, {.max_inputs = options_.run.batch});
    const absl::Status read = RunPipeline(options_.run.in_flight,
                                          {.read = [&] { return reader.Next(); },
                                           .answer = [&](Chunk c) { return SendChunk(std::move(c), caller_, policy_); },
                                           .write = [&](const Outcome& outcome) { Take(outcome); }});
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    bar_.Erase();
    if (!read.ok()) Stop(read, false);
    return tally_.Finish(seconds);
  }

 private:
  /// Before the clock runs: a connection is no part of a model.
  void Connect() {
    Chunk first{.inputs = {{.text = "connecting"}}};
    const Outcome outcome = SendChunk(std::move(first), caller_, policy_);
    if (!outcome.fatal.ok()) Stop(outcome.fatal, outcome.unreachable);
  }

  void Take(const Outcome& outcome) {
    if (!outcome.fatal.ok()) Stop(outcome.fatal, outcome.unreachable);
    const size_t failed = tally_.failed();
    for (const Row& row : outcome.rows) tally_.Add(row);
    done_ += outcome.rows.size();
    bar_.Advance(outcome.rows.size(), tally_.failed() - failed, done_);
  }

  [[noreturn]] void Stop(const absl::Status& error, bool unreachable) {
    bar_.Erase();
    PrintError(unreachable ? UnreachableMessage(options_.run.server.address, error) : ErrorText(error));
    ExitNow(unreachable ? kExitUnreachable : kExitFailed);
  }

  const EvalOptions& options_;
  const LabelledTexts& texts_;
  const RetryPolicy policy_{.timeout = absl::Seconds(options_.run.timeout_seconds)};
  RpcCaller<ClassifyTask> caller_;
  EvalTally tally_;
  ProgressBar bar_;
  size_t done_ = 0;
};

eval::Study MakeStudy(const EvalOptions& options, const LabelledTexts& texts) {
  eval::Study study{.started = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone()),
                    .command = options.command,
                    .file = options.file,
                    .texts = texts.texts.size(),
                    .address = options.run.server.address,
                    .batch = options.run.batch,
                    .in_flight = options.run.in_flight};
  for (const std::string& label : texts.labels) ++study.labels[label];
  return study;
}

absl::Status WriteFiles(const EvalOptions& options, const eval::Study& study) {
  absl::Status status;
  if (options.markdown) status.Update(WriteFile(*options.markdown, ToMarkdown(study)));
  if (options.html) status.Update(WriteFile(*options.html, ToHtml(study)));
  return status;
}

int Report(const EvalOptions& options, const eval::Study& study) {
  const std::string json = ToJson(study).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  WriteOut(options.json ? json + "\n" : StudyTables(study));
  for (const std::string& line : StudyWarnings(study)) PrintError(line);
  const absl::Status written = WriteFiles(options, study);
  if (!written.ok()) PrintError(written.message());
  bool failed = !written.ok();
  for (const eval::ModelResult& model : study.models) failed = failed || model.metrics.failed > 0;
  return failed ? kExitFailed : kExitOk;
}

}  // namespace

int RunEval(const EvalOptions& options) {
  const auto texts = ReadTexts(options);
  if (!texts.ok()) {
    PrintError(texts.status().message());
    return kExitUsage;
  }
  const ListedModels listed = ListModels(options.run.server, kListSeconds);
  if (listed.exit_code != kExitOk) return listed.exit_code;
  const auto chosen = ChooseModels(listed.entries, options.models, {texts->labels.begin(), texts->labels.end()});
  if (!chosen.ok()) {
    PrintError(chosen.status().message());
    return absl::IsNotFound(chosen.status()) ? kExitFailed : kExitUsage;
  }
  for (const std::string& line : chosen->left_out) PrintError(absl::StrCat("left out: ", line));
  eval::Study study = MakeStudy(options, *texts);
  for (const ModelEntry& entry : chosen->models) study.models.push_back(Evaluation(options, entry, *texts).Run());
  Sort(study);
  return Report(options, study);
}

}  // namespace bertha::cli
