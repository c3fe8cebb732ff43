#include "clients/cli/eval_output.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/figure_table.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

using eval::Metrics;
using eval::ModelResult;
using eval::Study;
using Rows = std::vector<std::vector<std::string>>;

std::string Score(double value) { return absl::StrFormat("%.4f", value); }

std::string Times(const std::optional<double>& value) { return value ? absl::StrFormat("%.2fx", *value) : "-"; }

std::vector<std::string> StudyRow(const ModelResult& model, const Study& study) {
  const Metrics& m = model.metrics;
  const eval::Shares shares = SharesOf(model, study);
  return {model.title(),
          Score(m.accuracy),
          absl::StrFormat("%.1f%%", 100 * shares.accuracy),
          Score(m.macro_f1),
          Score(m.mcc),
          m.ece ? Score(*m.ece) : "-",
          FormatMicros(model.seconds * 1e6),
          FormatCount(static_cast<uint64_t>(std::llround(model.texts_per_s()))),
          Times(shares.faster),
          model.compute_us ? FormatMicros(*model.compute_us) : "-",
          model.weight_bytes > 0 ? absl::StrFormat("%.1f MB", static_cast<double>(model.weight_bytes) / 1e6) : "-",
          Times(shares.size),
          FormatCount(m.failed)};
}

std::string LabelTable(const ModelResult& model) {
  Rows rows = {{model.title(), "PRECISION", "RECALL", "F1", "TEXTS"}};
  for (const eval::LabelScores& l : model.metrics.labels) {
    rows.push_back({l.label, Score(l.precision), Score(l.recall), Score(l.f1), FormatCount(l.support)});
  }
  return FigureTable(rows);
}

std::string ConfusionTable(const Metrics& m) {
  std::vector<std::string> heading = {"is, was called"};
  for (const eval::LabelScores& l : m.labels) heading.push_back(l.label);
  if (m.failed > 0) heading.push_back("NO ANSWER");
  Rows rows = {heading};
  for (size_t i = 0; i < m.confusion.size(); ++i) {
    std::vector<std::string> row = {m.labels[i].label};
    for (size_t k = 0; k + 1 < heading.size(); ++k) row.push_back(FormatCount(m.confusion[i][k]));
    rows.push_back(row);
  }
  return FigureTable(rows);
}

std::string FailureList(const ModelResult& model) {
  return absl::StrJoin(model.failures, ", ", [](std::string* out, const auto& failure) {
    absl::StrAppend(out, failure.first, " ", FormatCount(failure.second));
  });
}

}  // namespace

std::string StudyTables(const Study& study) {
  Rows rows = {{"MODEL", "ACCURACY", "OF BEST", "MACRO-F1", "MCC", "ECE", "TIME", "TEXTS/S", "FASTER", "COMPUTE/TEXT",
                "WEIGHTS", "SIZE", "FAILED"}};
  for (const ModelResult& model : study.models) rows.push_back(StudyRow(model, study));
  std::string text = FigureTable(rows);
  for (const ModelResult& model : study.models) {
    absl::StrAppend(&text, "\n", LabelTable(model), "\n", ConfusionTable(model.metrics));
  }
  return text;
}

std::vector<std::string> StudyWarnings(const Study& study) {
  std::vector<std::string> lines;
  for (const ModelResult& model : study.models) {
    if (model.metrics.failed > 0) {
      lines.push_back(absl::StrCat(model.title(), ": ", FormatCount(model.metrics.failed), " of ",
                                   FormatCount(model.metrics.texts), " texts FAILED and count as wrong (",
                                   FailureList(model), ")"));
    }
    if (!model.unknown_labels.empty()) {
      lines.push_back(absl::StrCat(model.title(), " has no label ", absl::StrJoin(model.unknown_labels, ", "),
                                   "; texts that have it count as wrong (see --label-map)"));
    }
  }
  return lines;
}

}  // namespace bertha::cli
