#include "clients/cli/load_command.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/load/machine.h"
#include "bench/load/self_test.h"
#include "bench/load/summary_json.h"
#include "bench/load/texts.h"
#include "bench/load/trials.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/load_files.h"
#include "clients/cli/load_output.h"
#include "clients/cli/load_target.h"
#include "clients/cli/load_watch.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {
namespace {

using Kind = load::Report::Kind;

constexpr size_t kSyntheticTexts = 10'000;
constexpr load::Objective kUsualObjective = {.quantile = 0.99, .latency = std::chrono::milliseconds(50)};
/// Words of a text if nothing else is said: short messages. Many different ones, since a server may compute texts that
/// are alike only once.
constexpr char kUsualLengths[] = "lognormal:16,0.7";

load::Duration Seconds(double seconds) {
  return std::chrono::duration_cast<load::Duration>(std::chrono::duration<double>(seconds));
}

bool IsSearch(const LoadOptions& options) { return options.find_capacity || options.sweep; }

Kind KindOf(const LoadOptions& options) {
  if (options.sweep) return Kind::kSweep;
  if (options.find_capacity) return Kind::kCapacity;
  return options.in_flight ? Kind::kClosed : Kind::kOpen;
}

/// Where a failure came from is in the code: INVALID_ARGUMENT is the user's, UNAVAILABLE nobody's.
int Fail(const absl::Status& status) {
  PrintError(status.message());
  if (absl::IsInvalidArgument(status)) return kExitUsage;
  return absl::IsUnavailable(status) ? kExitUnreachable : kExitFailed;
}

// --- what is sent ---

struct Texts {
  std::vector<std::string> texts;
  std::string source;
};

absl::StatusOr<Texts> TextsOf(const LoadOptions& options) {
  const auto& recorded = options.arrivals.recorded;
  if (!recorded.empty() && recorded[0].text) {
    Texts texts = {.source = options.arrivals_text};
    for (const load::RecordedCall& call : recorded) texts.texts.push_back(*call.text);
    return texts;
  }
  if (!options.file.empty()) {
    absl::StatusOr<std::vector<std::string>> texts = load::ReadTexts(options.file, options.column);
    if (!texts.ok()) return texts.status();
    return Texts{*std::move(texts), options.file};
  }
  if (!options.texts.empty()) return Texts{options.texts, "command line"};
  const std::string lengths = options.synthetic_text.empty() ? kUsualLengths : options.synthetic_text;
  const absl::StatusOr<load::Lengths> parsed = load::ParseLengths(lengths);
  if (!parsed.ok()) return parsed.status();
  return Texts{load::SyntheticTexts(*parsed, kSyntheticTexts, options.seed), absl::StrCat("synthetic ", lengths)};
}

load::TrialOptions TrialsOf(const LoadOptions& options, std::vector<std::string> texts) {
  load::TrialOptions trials = {.texts = std::move(texts), .models = options.models, .objective = options.objective};
  if (trials.models.empty()) trials.models.emplace_back();
  if (!trials.objective && IsSearch(options)) trials.objective = kUsualObjective;
  trials.plan = {.arrivals = options.arrivals,
                 .warm_up = Seconds(options.warm_up.value_or(IsSearch(options) ? 1 : 2)),
                 .deadline = Seconds(options.deadline_ms / 1e3),
                 .seed = options.seed};
  return trials;
}

// --- the report ---

load::Report NewReport(const LoadOptions& options, const load::TrialOptions& trials, const std::string& source,
                       const LoadTarget& target) {
  load::Report report;
  report.kind = KindOf(options);
  report.started = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  report.command = options.command;
  report.machine = load::ThisMachine();
  report.client = {.program = "bertha load",
                   .version = BERTHA_VERSION,
                   .protocol = NameOf(options.protocol),
                   .stream = options.stream,
                   .channels = options.channels,
                   .load_balancing = NameOf(options.balancing)};
  report.server = {.address = options.server.address, .models = target.models};
  report.plan = {.arrivals = options.arrivals_text,
                 .seed = options.seed,
                 .texts_source = source,
                 .texts = trials.texts.size(),
                 .warm_up_s = std::chrono::duration<double>(trials.plan.warm_up).count()};
  if (options.deadline_ms > 0) report.plan.deadline_ms = options.deadline_ms;
  report.objective = trials.objective;
  return report;
}

/// Takes what ends.
class Results {
 public:
  Results(const LoadOptions& options, load::Report report, LoadWatch& watch)
      : options_(options), report_(std::move(report)), watch_(watch), files_(options.out) {}

  absl::Status OpenFiles() { return files_.Open(); }

  /// False if nothing can be written any more.
  bool Add(const load::Trial& trial) {
    report_.runs.push_back({.rate = trial.rate, .summary = trial.summary});
    watch_.Erase();
    ShowTrial();
    const bool before_sweep = options_.sweep && !report_.capacity;
    if (!before_sweep) written_ = files_.Add(report_.runs.size(), trial);
    return written_.ok();
  }
  void SetCapacity(load::CapacitySearch::Result capacity) { report_.capacity = std::move(capacity); }
  /// A sweep begins: its report has none of the runs that led to the capacity.
  void ForgetRuns() { report_.runs.clear(); }

  /// The exit code.
  int Show(const std::map<absl::StatusCode, std::string>& complaints) {
    const load::Json json = load::ToJson(report_);
    if (written_.ok()) written_ = files_.Finish(report_, json);
    if (!written_.ok()) return Fail(written_);
    WriteOut(options_.json ? json.dump(-1, ' ', false, load::Json::error_handler_t::replace) + "\n"
                           : Tables(json, complaints));
    return json["valid"] ? kExitOk : kExitFailed;
  }

 private:
  void ShowTrial() {
    if (!IsSearch(options_) || options_.quiet || options_.json) return;
    const Painter paint(UseColor());
    if (!std::exchange(headed_, true)) WriteOut(paint(kDim, TrialHeading()));
    WriteOut(TrialLine(report_.runs.back(), paint));
  }

  std::string Tables(const load::Json& json, const std::map<absl::StatusCode, std::string>& complaints) const {
    const Painter paint(UseColor());
    std::string text = InvalidLines(json["invalid"].get<std::vector<std::string>>(), paint);
    if (report_.capacity) absl::StrAppend(&text, CapacityLine(*report_.capacity, *report_.objective, paint));
    if (!IsSearch(options_)) {
      for (const load::Report::Run& run : report_.runs) absl::StrAppend(&text, RunTable(report_, run, paint));
    }
    return absl::StrCat(text, ComplaintLines(complaints));
  }

  const LoadOptions& options_;
  load::Report report_;
  LoadWatch& watch_;
  LoadFiles files_;
  absl::Status written_;
  bool headed_ = false;
};

// --- running ---

load::CapacityOptions SearchOf(const LoadOptions& options, const load::Objective& objective) {
  // Enough calls for a run of seconds to say something of a 99th percentile.
  load::CapacityOptions search = {.objective = objective, .first_rate = 128};
  search.proving = Seconds(options.seconds);
  search.bisecting = search.proving * 2 / 5;
  search.doubling = search.proving / 5;
  return search;
}

absl::Status Search(const LoadOptions& options, const load::Objective& objective, load::Trials& trials,
                    const load::Watch& watch, Results& results) {
  const auto add = [&results](const load::Trial& trial) { return results.Add(trial); };
  absl::StatusOr<load::CapacitySearch::Result> capacity = trials.FindCapacity(SearchOf(options, objective), add);
  if (!capacity.ok()) return capacity.status();
  results.SetCapacity(*capacity);
  if (!options.sweep || capacity->per_s <= 0 || watch.stopped()) return absl::OkStatus();
  results.ForgetRuns();
  return trials.Sweep(load::SweepRates(capacity->per_s), Seconds(options.seconds), add);
}

absl::Status RunOnce(const LoadOptions& options, load::Trials& trials, Results& results) {
  load::ClosedLoop loop = {.in_flight = options.in_flight.value_or(1)};
  if (options.requests) {
    loop.requests = *options.requests;
  } else {
    loop.length = Seconds(options.seconds);
  }
  const absl::StatusOr<load::Trial> trial =
      options.in_flight ? trials.Closed(loop) : trials.Open(options.rate.value_or(0), Seconds(options.seconds));
  if (!trial.ok()) return trial.status();
  results.Add(*trial);
  return absl::OkStatus();
}

int RunSelfTest(const LoadOptions& options) {
  LoadWatch watch(options.quiet);
  const absl::StatusOr<load::SelfTest> test = load::RunSelfTest(watch);
  watch.Erase();
  if (!test.ok()) return Fail(test.status());
  for (const std::string& failure : test->failures) PrintError(failure);
  if (!test->failures.empty()) return kExitFailed;
  const Painter paint(UseColor());
  WriteOut(absl::StrCat("a server stood still for a second\n", TrialHeading(),
                        TrialLine({.rate = test->open.planned_per_s, .summary = test->open}, paint), "  open loop\n",
                        TrialLine({.rate = test->closed.answered_per_s, .summary = test->closed}, paint),
                        "  closed loop, one in flight: it waits meanwhile, and does not see it\n",
                        test->open.invalid.empty() ? "ok\n" : "ok, but this machine is too busy for figures\n"));
  return kExitOk;
}

}  // namespace

int RunLoad(const LoadOptions& options) {
  if (options.self_test) return RunSelfTest(options);
  absl::StatusOr<Texts> texts = TextsOf(options);
  if (!texts.ok()) return Fail(texts.status());
  const load::TrialOptions trial_options = TrialsOf(options, std::move(texts->texts));
  absl::StatusOr<LoadTarget> target = OpenTarget(options, trial_options);
  if (!target.ok()) return Fail(target.status());
  LoadWatch watch(options.quiet);
  Results results(options, NewReport(options, trial_options, texts->source, *target), watch);
  if (const absl::Status opened = results.OpenFiles(); !opened.ok()) return Fail(opened);
  load::Trials trials(trial_options, *target->transport, target->meter.get(), watch);
  const absl::Status ran = IsSearch(options) ? Search(options, *trial_options.objective, trials, watch, results)
                                             : RunOnce(options, trials, results);
  watch.Erase();
  if (!ran.ok()) return Fail(ran);
  return results.Show(target->transport->complaints());
}

}  // namespace bertha::cli
