#include "clients/cli/load_output.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "clients/cli/output.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

constexpr size_t kNameWidth = 15;
constexpr size_t kCellWidth = 9;
constexpr size_t kTextWidth = 110;

/// Milliseconds with three significant digits, but none below a microsecond; a dash for what does not exist.
std::string Cell(const std::optional<double>& ms) {
  if (!ms) return "-";
  return absl::StrFormat("%.*f", *ms >= 100 ? 0 : *ms >= 10 ? 1 : *ms >= 1 ? 2 : 3, *ms);
}

std::string Rate(double per_s) {
  return per_s >= 1000 ? FormatCount(static_cast<uint64_t>(per_s + 0.5)) : absl::StrFormat("%.1f", per_s);
}

std::string QuantileRow(absl::string_view name, const load::Quantiles& q) {
  std::string row = PadRight(name, kNameWidth);
  for (const auto& value : {q.p50, q.p90, q.p95, q.p99, q.p999, q.max, q.mean}) {
    absl::StrAppend(&row, PadLeft(Cell(value), kCellWidth));
  }
  return row + "\n";
}

std::string QuantileHeading() {
  std::string row = PadRight("milliseconds", kNameWidth);
  for (const absl::string_view name : {"p50", "p90", "p95", "p99", "p99.9", "max", "mean"}) {
    absl::StrAppend(&row, PadLeft(name, kCellWidth));
  }
  return row;
}

std::string MeanRow(absl::string_view name, double micros) {
  std::string row = PadRight(name, kNameWidth);
  return absl::StrCat(row, std::string(6 * kCellWidth, ' '), PadLeft(Cell(micros / 1e3), kCellWidth), "\n");
}

std::string WhatWasSent(const load::Report& report, const load::Report::Run& run) {
  const load::Summary& s = run.summary;
  const std::string way = absl::StrCat(
      report.client.protocol, report.client.stream ? " streams" : "", ", ", report.client.channels,
      report.client.channels == 1 ? " channel" : " channels",
      report.client.load_balancing == "pick_first" ? "" : absl::StrCat(", ", report.client.load_balancing));
  const std::string how = s.closed ? absl::StrCat("closed loop, ", s.in_flight, " in flight")
                                   : absl::StrCat("open loop, ", Rate(s.planned_per_s), "/s, ", report.plan.arrivals,
                                                  ", seed ", report.plan.seed);
  return absl::StrCat(how, "; ", FormatCount(s.calls), " calls in ", absl::StrFormat("%.1f s", s.seconds), "; ", way);
}

std::string ServerRows(const load::Summary& s) {
  if (s.server_total) {
    return absl::StrCat(QuantileRow("  tokenize", *s.tokenize), QuantileRow("  queue", *s.queue),
                        QuantileRow("  compute", *s.compute), QuantileRow("  server total", *s.server_total));
  }
  if (!s.means) return "";
  return absl::StrCat(MeanRow("  tokenize", s.means->tokenize_us), MeanRow("  queue", s.means->queue_us),
                      MeanRow("  compute", s.means->compute_us));
}

std::string Throughput(const load::Report& report, const load::Summary& s) {
  std::string line = absl::StrCat("sent ", Rate(s.offered_per_s), "/s   answered ", Rate(s.answered_per_s), "/s");
  if (report.plan.deadline_ms) {
    absl::StrAppend(&line, "   within ", Cell(report.plan.deadline_ms), " ms ", Rate(s.goodput_per_s), "/s");
  } else if (report.objective) {
    absl::StrAppend(&line, "   within ", absl::FormatDuration(absl::FromChrono(report.objective->latency)), " ",
                    Rate(s.goodput_per_s), "/s");
  }
  if (s.mean_batch) absl::StrAppend(&line, "   batch ", absl::StrFormat("%.1f", *s.mean_batch));
  return line + "\n";
}

std::string Codes(const load::Summary& s, const Painter& paint) {
  std::vector<std::string> codes;
  for (const auto& [code, count] : s.codes) {
    const std::string text = absl::StrCat(code, " ", FormatCount(count));
    codes.push_back(code == "OK" ? text : paint(kRed, text));
  }
  std::string line;
  for (const std::string& code : codes) absl::StrAppend(&line, line.empty() ? "" : "   ", code);
  return line + "\n";
}

bool Failed(const load::Summary& s) { return s.answered.count < s.calls; }

}  // namespace

std::string InvalidLines(const std::vector<std::string>& reasons, const Painter& paint) {
  if (reasons.empty()) return "";
  std::string lines = paint(kRed, paint(kBold, "INVALID: these figures may not be the server's")) + "\n";
  for (const std::string& reason : reasons) absl::StrAppend(&lines, "  ", reason, "\n");
  return lines;
}

std::string RunTable(const load::Report& report, const load::Report::Run& run, const Painter& paint) {
  const load::Summary& s = run.summary;
  std::string table = absl::StrCat(WhatWasSent(report, run), "\n\n", paint(kDim, QuantileHeading()), "\n",
                                   QuantileRow("latency", s.all));
  if (Failed(s)) absl::StrAppend(&table, QuantileRow("  of answers", s.answered));
  absl::StrAppend(&table, ServerRows(s));
  if (!s.closed) absl::StrAppend(&table, QuantileRow("sent late by", s.send_lag));
  absl::StrAppend(
      &table, "\n", Throughput(report, s), Codes(s, paint),
      absl::StrFormat("this program took %.2f cores, %.2f for each channel\n", s.client_cores, s.cores_per_channel));
  return table;
}

std::string TrialHeading() {
  return absl::StrCat(PadLeft("CALLS/S", 10), PadLeft("ANSWERED/S", 12), PadLeft("P50 MS", 10), PadLeft("P99 MS", 10),
                      PadLeft("FAILED", 9), PadLeft("BATCH", 8), PadLeft("LATE P99", 10), "\n");
}

std::string TrialLine(const load::Report::Run& run, const Painter& paint) {
  const load::Summary& s = run.summary;
  const double failed =
      s.calls == 0 ? 0 : static_cast<double>(s.calls - s.answered.count) / static_cast<double>(s.calls);
  std::string line = absl::StrCat(
      PadLeft(Rate(run.rate.value_or(s.planned_per_s)), 10), PadLeft(Rate(s.answered_per_s), 12),
      PadLeft(Cell(s.all.p50), 10), PadLeft(Cell(s.all.p99), 10), PadLeft(absl::StrFormat("%.1f%%", failed * 100), 9),
      PadLeft(s.mean_batch ? absl::StrFormat("%.1f", *s.mean_batch) : "-", 8), PadLeft(Cell(s.send_lag.p99), 10));
  for (const std::string& reason : s.invalid) {
    absl::StrAppend(&line, "  ", paint(kRed, "INVALID: "), reason.substr(0, reason.find(';')));
  }
  return line + "\n";
}

std::string CapacityLine(const load::CapacitySearch::Result& result, const load::Objective& objective,
                         const Painter& paint) {
  const std::string wish = load::Describe(objective);
  if (result.per_s <= 0 && !result.invalid.empty())
    return absl::StrCat("what rate keeps ", wish, " was not found out\n");
  if (result.per_s <= 0) return absl::StrCat("no rate that was tried keeps ", wish, "\n");
  return absl::StrCat(paint(kBold, absl::StrCat("capacity ", Rate(result.per_s), "/s")),
                      ": the highest rate that was shown to keep ", wish, "\n");
}

std::string ComplaintLines(const std::map<absl::StatusCode, std::string>& complaints) {
  std::string lines;
  for (const auto& [code, message] : complaints) {
    absl::StrAppend(&lines, FitToWidth(absl::StrCat("first ", CodeName(code), ": ", message), kTextWidth), "\n");
  }
  return lines;
}

std::string LoadProgressLine(const LoadProgress& progress) {
  const double left = absl::ToDoubleSeconds(progress.left);
  return absl::StrFormat(
      "%5.1f s  %s/s  p50 %s ms  p99 %s ms  %s errors  %s", absl::ToDoubleSeconds(progress.elapsed),
      Rate(progress.answered_per_s), Cell(progress.p50_ms), Cell(progress.p99_ms), FormatCount(progress.errors),
      left >= 0 ? absl::StrFormat("%.0f s left", left) : std::string("waiting for the last replies"));
}

}  // namespace bertha::cli
