#include "clients/cli/labels_output.h"

#include <algorithm>
#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "clients/cli/text.h"
#include "clients/cli/view.h"

namespace bertha::cli {
namespace {

constexpr size_t kMinLabelWidth = 8;  // the first rows may all be errors, and their labels come later
constexpr size_t kMaxLabelWidth = 28;
constexpr size_t kRowBarCells = 10;
constexpr size_t kDetailBarCells = 24;

const std::vector<LabelScore>& ScoresOf(const Result& result) { return std::get<Labels>(result.body).scores; }

size_t LabelWidth(const Result& result) {
  size_t width = 5;
  for (const LabelScore& s : ScoresOf(result)) width = std::max(width, DisplayWidth(s.label));
  return std::min(width, kMaxLabelWidth);
}

class LabelColumns : public TableColumns {
 public:
  explicit LabelColumns(const Painter& paint) : paint_(paint) {}

  void Fit(absl::Span<const Row> rows) override {
    for (const Row& row : rows) {
      if (row.result.ok()) label_width_ = std::max(label_width_, LabelWidth(*row.result));
    }
  }
  size_t Width() const override { return label_width_ + kScoreWidth + 2 + kRowBarCells; }
  std::string Heading() const override {
    return absl::StrCat(PadRight("LABEL", label_width_), PadLeft("SCORE", kScoreWidth), "  ",
                        std::string(kRowBarCells, ' '));
  }
  std::string Cells(const Row& row) override {
    const std::vector<LabelScore>& scores = ScoresOf(*row.result);
    if (scores.empty()) return PadRight("-", Width());
    return absl::StrCat(paint_(kBold, PadRight(FitToWidth(scores[0].label, label_width_), label_width_)),
                        PadLeft(Score(scores[0].score), kScoreWidth), "  ",
                        paint_(kCyan, ScoreBar(scores[0].score, kRowBarCells)));
  }

 private:
  const Painter paint_;
  size_t label_width_ = kMinLabelWidth;
};

std::string AllLabels(const Row& row, TableStyle style) {
  const Painter paint(style.color);
  const std::vector<LabelScore>& scores = ScoresOf(*row.result);
  std::string lines = FitToWidth(BothTexts(row.input), style.width) + "\n";
  if (scores.empty()) return lines + "  no label reaches the threshold\n";
  const size_t width = LabelWidth(*row.result);
  for (size_t i = 0; i < scores.size(); ++i) {
    absl::StrAppend(&lines, "  ", paint(i == 0 ? kBold : "", PadRight(FitToWidth(scores[i].label, width), width)),
                    PadLeft(Score(scores[i].score), kScoreWidth), "  ",
                    paint(kCyan, ScoreBar(scores[i].score, kDetailBarCells)), "\n");
  }
  return lines;
}

Json LabelsJson(const Labels& labels, bool with_logits) {
  const bool any = !labels.scores.empty();
  Json json;
  json["label"] = any ? Json(labels.scores[0].label) : Json();
  json["score"] = any ? Json(labels.scores[0].score) : Json();
  json["scores"] = Json::array();
  for (const LabelScore& s : labels.scores) json["scores"].push_back(Json{{"label", s.label}, {"score", s.score}});
  if (with_logits) json["logits"] = labels.logits;
  return json;
}

std::string Quoted(absl::string_view field) {
  if (field.find_first_of(",\"\r\n") == absl::string_view::npos) return std::string(field);
  std::string quoted = "\"";
  for (const char c : field) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

class CsvWriter : public RowWriter {
 public:
  std::string Begin() override {
    return "index,label,score,tokens,truncated,tokenize_us,queue_us,compute_us,total_us,batch_size,model,version,"
           "engine,windows,error\n";
  }

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    for (const Row& row : rows) {
      absl::StrAppend(&lines, row.input.index, ",");
      if (row.result.ok()) {
        AppendResult(*row.result, lines);
      } else {
        absl::StrAppend(&lines, ",,,,,,,,,,,,,",  // label to windows
                        Quoted(ErrorText(row.result.status())), "\n");
      }
    }
    return lines;
  }

 private:
  static void AppendResult(const Result& r, std::string& lines) {
    const std::vector<LabelScore>& scores = ScoresOf(r);
    if (scores.empty()) {
      lines += ",";
    } else {
      absl::StrAppend(&lines, Quoted(scores[0].label), ",", scores[0].score);
    }
    const Timing& t = r.timing;
    absl::StrAppend(&lines, ",", r.tokens, ",", r.truncated ? "true" : "false", ",", t.tokenize_us, ",");
    absl::StrAppend(&lines, t.queue_us, ",", t.compute_us, ",", t.total_us, ",", r.batch_size, ",");
    absl::StrAppend(&lines, Quoted(r.model->name), ",", r.model->version, ",", Quoted(r.model->engine), ",", r.windows,
                    ",\n");
  }
};

}  // namespace

std::unique_ptr<RowWriter> MakeLabelsTable(TableStyle style) {
  return MakeTableWriter(style, std::make_unique<LabelColumns>(Painter(style.color)));
}

std::unique_ptr<RowWriter> MakeLabelsDetail(TableStyle style) {
  return MakeBlockWriter(style, /*single=*/true, [style](const Row& row) { return AllLabels(row, style); });
}

std::unique_ptr<RowWriter> MakeLabelsJson(bool with_logits) {
  return MakeJsonWriter(
      [with_logits](const Result& result) { return LabelsJson(std::get<Labels>(result.body), with_logits); });
}

std::unique_ptr<RowWriter> MakeLabelsCsv() { return std::make_unique<CsvWriter>(); }

}  // namespace bertha::cli
