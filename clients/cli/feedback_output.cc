#include "clients/cli/feedback_output.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "clients/cli/json.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

using feedback::ModelVersion;
using feedback::StoredVote;
using feedback::Tally;
using feedback::Verdict;

constexpr size_t kNameWidth = 40;

absl::string_view VerdictName(Verdict verdict) { return verdict == Verdict::kRight ? "right" : "wrong"; }

std::string NameOf(const ModelVersion& model) { return absl::StrCat(model.name, ":", model.version); }

std::string ScoreText(float score) { return Json(score).dump(); }

Json TallyJson(const Tally& tally) { return {{"right", tally.right}, {"wrong", tally.wrong}}; }

Json ModelJson(const ModelVersion& model) { return {{"model", model.name}, {"version", model.version}}; }

Json Joined(Json first, const Json& second) {
  first.update(second);
  return first;
}

using Cells = std::vector<std::string>;

/// The first column to the left, numbers to the right.
std::string Table(const std::vector<Cells>& rows, size_t left_columns) {
  std::vector<size_t> widths(rows[0].size());
  for (const Cells& cells : rows) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(cells[i]));
  }
  std::string table;
  for (const Cells& cells : rows) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      line += (i < left_columns ? PadRight(cells[i], widths[i]) : PadLeft(cells[i], widths[i])) + "  ";
    }
    line.resize(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&table, line, "\n");
  }
  return table;
}

std::string ShownName(const ModelVersion& model) { return FitToWidth(NameOf(model), kNameWidth); }

std::string ModelsTable(const feedback::Report& report) {
  std::vector<Cells> rows = {{"MODEL", "VOTES", "RIGHT", "WRONG", "SHARE RIGHT", "95% INTERVAL"}};
  for (const feedback::ModelReport& m : report.models) {
    rows.push_back({ShownName(m.model), FormatCount(m.tally.votes()), FormatCount(m.tally.right),
                    FormatCount(m.tally.wrong), absl::StrFormat("%.3f", m.share_right),
                    absl::StrFormat("%.3f to %.3f", m.interval.low, m.interval.high)});
  }
  return Table(rows, 1);
}

std::string PairsTable(const feedback::Report& report) {
  if (report.pairs.empty()) return "No text was judged for two models.\n";
  std::vector<Cells> rows = {{"FIRST", "SECOND", "COMMON TEXTS", "FIRST WINS", "SECOND WINS", "TIES"}};
  for (const feedback::PairReport& p : report.pairs) {
    rows.push_back({ShownName(p.first), ShownName(p.second), FormatCount(p.first_wins + p.second_wins + p.ties),
                    FormatCount(p.first_wins), FormatCount(p.second_wins), FormatCount(p.ties)});
  }
  return Table(rows, 2);
}

std::string DisputedLines(const feedback::Report& report, size_t width) {
  if (report.disputed.empty()) return "No text has votes of both kinds.\n";
  std::string lines;
  for (const feedback::DisputedText& text : report.disputed) {
    const std::string both = text.text_pair ? absl::StrCat(text.text, " | ", *text.text_pair) : text.text;
    absl::StrAppend(&lines, FitToWidth(both, width), "\n");
    for (const feedback::DisputedText::Answer& a : text.answers) {
      absl::StrAppend(&lines, "    ", ShownName(a.model), " said ", FitToWidth(a.label, kNameWidth), ": ",
                      a.tally.right, " right, ", a.tally.wrong, " wrong\n");
    }
  }
  return lines;
}

}  // namespace

std::string FormatTime(int64_t micros) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

absl::string_view TargetLabel(const feedback::Vote& vote) {
  return vote.verdict == Verdict::kRight ? vote.label : vote.correct_label;
}

std::string CsvCell(absl::string_view text, bool spreadsheet) {
  const bool formula = !text.empty() && absl::string_view("=+-@\t\r\n").find(text.front()) != absl::string_view::npos;
  const std::string mark = spreadsheet && formula ? "'" : "";
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) return absl::StrCat(mark, text);
  return absl::StrCat("\"", mark, absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string CsvHeader() {
  return "id,time,text,text_pair,model,version,label,score,verdict,correct_label,target,client,request_id\r\n";
}

std::string CsvLine(const StoredVote& stored, bool spreadsheet) {
  const feedback::Vote& v = stored.vote;
  const auto cell = [&](absl::string_view text) { return CsvCell(text, spreadsheet); };
  const std::string pair = !v.text_pair ? "" : v.text_pair->empty() ? "\"\"" : cell(*v.text_pair);
  const std::vector<std::string> cells = {absl::StrCat(stored.id),
                                          FormatTime(v.time_us),
                                          cell(v.text),
                                          pair,
                                          cell(v.model),
                                          absl::StrCat(v.version),
                                          cell(v.label),
                                          ScoreText(v.score),
                                          std::string(VerdictName(v.verdict)),
                                          cell(v.correct_label),
                                          cell(TargetLabel(v)),
                                          cell(v.client),
                                          cell(v.request_id)};
  return absl::StrCat(absl::StrJoin(cells, ","), "\r\n");
}

std::string VoteJson(const StoredVote& stored) {
  const feedback::Vote& v = stored.vote;
  Json json{{"id", stored.id}, {"time", FormatTime(v.time_us)}, {"text", v.text}};
  if (v.text_pair) json["text_pair"] = *v.text_pair;
  json.update(Json{{"model", v.model},
                   {"version", v.version},
                   {"label", v.label},
                   {"score", v.score},
                   {"verdict", std::string(VerdictName(v.verdict))},
                   {"correct_label", v.correct_label},
                   {"target", std::string(TargetLabel(v))},
                   {"client", v.client},
                   {"request_id", v.request_id}});
  return JsonLine(json);
}

std::string ReportTables(const feedback::Report& report, size_t width) {
  if (report.votes == 0) return "no votes\n";
  return absl::StrCat(FormatCount(report.votes), " votes on ", FormatCount(report.texts), " texts\n\n",
                      ModelsTable(report), "\nTexts that two models were both judged on:\n", PairsTable(report),
                      "\nTexts with most disagreement:\n", DisputedLines(report, width));
}

std::string ReportJson(const feedback::Report& report) {
  Json json{{"votes", report.votes}, {"texts", report.texts}};
  json["models"] = Json::array();
  for (const feedback::ModelReport& m : report.models) {
    Json model = Joined(ModelJson(m.model), TallyJson(m.tally));
    model["share_right"] = static_cast<float>(m.share_right);
    model["interval"] = {static_cast<float>(m.interval.low), static_cast<float>(m.interval.high)};
    json["models"].push_back(model);
  }
  json["pairs"] = Json::array();
  for (const feedback::PairReport& p : report.pairs) {
    json["pairs"].push_back({{"first", ModelJson(p.first)},
                             {"second", ModelJson(p.second)},
                             {"first_wins", p.first_wins},
                             {"second_wins", p.second_wins},
                             {"ties", p.ties}});
  }
  json["disputed"] = Json::array();
  for (const feedback::DisputedText& t : report.disputed) {
    Json text{{"text", t.text}};
    if (t.text_pair) text["text_pair"] = *t.text_pair;
    text.update(TallyJson(t.tally));
    text["answers"] = Json::array();
    for (const feedback::DisputedText::Answer& a : t.answers) {
      Json answer = ModelJson(a.model);
      answer["label"] = a.label;
      text["answers"].push_back(Joined(answer, TallyJson(a.tally)));
    }
    json["disputed"].push_back(text);
  }
  return JsonLine(json);
}

}  // namespace bertha::cli
