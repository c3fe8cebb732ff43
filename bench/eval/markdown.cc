// The study as Markdown.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "bench/eval/study.h"

namespace bertha::eval {
namespace {

using Row = std::vector<std::string>;

/// A name as it stands in a cell: nothing of it is markup.
std::string Cell(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"},
                                    {"|", "\\|"},
                                    {"<", "&lt;"},
                                    {"`", "\\`"},
                                    {"*", "\\*"},
                                    {"_", "\\_"},
                                    {"[", "\\["},
                                    {"\n", " "},
                                    {"\r", " "}});
}

std::string Line(const Row& cells) { return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |\n"); }

/// Names to the left, figures to the right.
std::string Heading(const Row& titles) {
  Row rules(titles.size(), "---:");
  rules.front() = "---";
  return Line(titles) + Line(rules);
}

std::string Times(const std::optional<double>& times) { return times ? absl::StrFormat("%.2f×", *times) : ""; }

Row StudyRow(const ModelResult& model, const Study& study) {
  const Metrics& m = model.metrics;
  const Shares shares = SharesOf(model, study);
  return {Cell(model.title()),
          absl::StrFormat("%.4f", m.accuracy),
          absl::StrFormat("%.1f%%", 100 * shares.accuracy),
          absl::StrFormat("%.4f", m.macro_f1),
          absl::StrFormat("%.4f", m.mcc),
          m.ece ? absl::StrFormat("%.4f", *m.ece) : "",
          absl::StrFormat("%.2f s", model.seconds),
          absl::StrFormat("%.0f", model.texts_per_s()),
          Times(shares.faster),
          model.compute_us ? absl::StrFormat("%.3f ms", *model.compute_us / 1000) : "",
          model.weight_bytes > 0 ? absl::StrFormat("%.1f MB", static_cast<double>(model.weight_bytes) / 1e6) : "",
          Times(shares.size),
          absl::StrCat(m.failed)};
}

std::string LabelTable(const Metrics& m) {
  std::string table = Heading({"label", "precision", "recall", "F1", "texts"});
  for (const LabelScores& l : m.labels) {
    table += Line({Cell(l.label), absl::StrFormat("%.4f", l.precision), absl::StrFormat("%.4f", l.recall),
                   absl::StrFormat("%.4f", l.f1), absl::StrCat(l.support)});
  }
  return table;
}

std::string ConfusionTable(const Metrics& m) {
  Row titles = {"is, was called"};
  for (const LabelScores& l : m.labels) titles.push_back(Cell(l.label));
  if (m.failed > 0) titles.push_back("no answer");
  std::string table = Heading(titles);
  for (size_t i = 0; i < m.confusion.size(); ++i) {
    Row row = {Cell(m.labels[i].label)};
    for (size_t k = 0; k + 1 < titles.size(); ++k) row.push_back(absl::StrCat(m.confusion[i][k]));
    table += Line(row);
  }
  return table;
}

}  // namespace

std::string ToMarkdown(const Study& study) {
  std::string text = absl::StrCat(study.texts, " texts of ", Cell(study.file), ", ", study.started, "\n\n");
  text += Heading({"model", "accuracy", "of the best", "macro-F1", "MCC", "ECE", "time", "texts/s", "faster",
                   "compute a text", "weights", "size", "failed"});
  for (const ModelResult& model : study.models) text += Line(StudyRow(model, study));
  for (const ModelResult& model : study.models) {
    absl::StrAppend(&text, "\n### ", Cell(model.title()), "\n\n", LabelTable(model.metrics), "\n",
                    ConfusionTable(model.metrics));
  }
  return text;
}

}  // namespace bertha::eval
