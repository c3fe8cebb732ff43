#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "clients/cli/output.h"
#include "clients/cli/text.h"

namespace bertha::cli {
namespace {

constexpr absl::string_view kBold = "\033[1m";
constexpr absl::string_view kDim = "\033[2m";
constexpr absl::string_view kRed = "\033[31m";
constexpr absl::string_view kCyan = "\033[36m";
constexpr size_t kMinLabelWidth = 8;  // the first rows may all be errors, and their labels come later
constexpr size_t kMaxLabelWidth = 28;
constexpr size_t kMinTextWidth = 16;
constexpr size_t kScoreWidth = 8;
constexpr size_t kTokensWidth = 7;
constexpr size_t kTimeWidth = 9;
constexpr size_t kRowBarCells = 10;
constexpr size_t kDetailBarCells = 24;

class Painter {
 public:
  explicit Painter(bool color) : color_(color) {}
  std::string operator()(absl::string_view escape, absl::string_view text) const {
    return color_ ? absl::StrCat(escape, text, "\033[0m") : std::string(text);
  }

 private:
  const bool color_;
};

/// A bar says "share of 1"; a regression score outside [0, 1] is no such thing.
std::string ScoreBar(float score, size_t cells) {
  return score >= 0 && score <= 1 ? Bar(score, cells) : std::string(cells, ' ');
}

std::string Score(float score) { return absl::StrFormat("%.4f", score); }

std::string ErrorText(const absl::Status& error) { return absl::StrCat(CodeName(error.code()), ": ", error.message()); }

std::string BothTexts(const Input& input) {
  return input.pair ? absl::StrCat(input.text, " | ", *input.pair) : input.text;
}

size_t LabelWidth(absl::Span<const Row> rows) {
  size_t width = 5;  // the heading, and "error"
  for (const Row& row : rows) {
    if (!row.answer.ok()) continue;
    for (const LabelScore& s : row.answer->scores) width = std::max(width, DisplayWidth(s.label));
  }
  return std::min(width, kMaxLabelWidth);
}

class TableWriter : public RowWriter {
 public:
  explicit TableWriter(TableStyle style) : style_(style), paint_(style.color) {}

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    if (!label_width_) {
      label_width_ = std::max(LabelWidth(rows), kMinLabelWidth);
      lines = Heading();
    }
    for (const Row& row : rows) lines += row.answer.ok() ? AnswerLine(row) : ErrorLine(row);
    return lines;
  }

  std::string End() override {
    if (answered_ == 0) return "";
    const auto mean = [&](double sum) { return sum / static_cast<double>(answered_); };
    return paint_(kDim,
                  absl::StrCat("mean: tokenize ", FormatMicros(mean(tokenize_)), ", queue ", FormatMicros(mean(queue_)),
                               ", compute ", FormatMicros(mean(compute_)), ", total ", FormatMicros(mean(total_)),
                               "; batch of ", absl::StrFormat("%.1f", mean(batch_)), "; ", model_,
                               truncated_ ? "; + after tokens: longer than the model takes, cut" : "")) +
           "\n";
  }

 private:
  size_t TextWidth() const {
    const size_t fixed = IndexWidth() + *label_width_ + kScoreWidth + kRowBarCells + kTokensWidth + kTimeWidth + 8;
    return std::max(kMinTextWidth, style_.width > fixed ? style_.width - fixed : 0);
  }
  static size_t IndexWidth() { return 5; }

  std::string Heading() const {
    return paint_(kDim, absl::StrCat(PadLeft("#", IndexWidth()), "  ", PadRight("LABEL", *label_width_),
                                     PadLeft("SCORE", kScoreWidth), "  ", std::string(kRowBarCells, ' '),
                                     PadLeft("TOKENS", kTokensWidth), "  ", PadLeft("TIME", kTimeWidth), "  TEXT")) +
           "\n";
  }

  std::string AnswerLine(const Row& row) {
    const Answer& a = *row.answer;
    Count(a);
    const bool any = !a.scores.empty();
    const std::string label = any ? FitToWidth(a.scores[0].label, *label_width_) : "-";
    return absl::StrCat(PadLeft(absl::StrCat(row.input.index), IndexWidth()), "  ",
                        paint_(kBold, PadRight(label, *label_width_)),
                        PadLeft(any ? Score(a.scores[0].score) : "", kScoreWidth), "  ",
                        paint_(kCyan, any ? ScoreBar(a.scores[0].score, kRowBarCells) : std::string(kRowBarCells, ' ')),
                        PadLeft(absl::StrCat(a.tokens, a.truncated ? "+" : " "), kTokensWidth), "  ",
                        PadLeft(FormatMicros(a.timing.total_us), kTimeWidth), "  ",
                        FitToWidth(BothTexts(row.input), TextWidth()), "\n");
  }

  std::string ErrorLine(const Row& row) const {
    return absl::StrCat(PadLeft(absl::StrCat(row.input.index), IndexWidth()), "  ",
                        paint_(kRed, PadRight("error", *label_width_)), "  ",
                        FitToWidth(ErrorText(row.answer.status()), std::max<size_t>(style_.width, 80)), "\n");
  }

  void Count(const Answer& a) {
    ++answered_;
    tokenize_ += a.timing.tokenize_us;
    queue_ += a.timing.queue_us;
    compute_ += a.timing.compute_us;
    total_ += a.timing.total_us;
    batch_ += a.batch_size;
    truncated_ |= a.truncated;
    model_ = absl::StrCat(a.model->name, " v", a.model->version, " (", a.model->engine, ", ", a.model->device, ", ",
                          a.model->dtype, ")");
  }

  const TableStyle style_;
  const Painter paint_;
  std::optional<size_t> label_width_;
  uint64_t answered_ = 0;
  double tokenize_ = 0, queue_ = 0, compute_ = 0, total_ = 0, batch_ = 0;
  bool truncated_ = false;
  std::string model_;
};

class DetailWriter : public RowWriter {
 public:
  explicit DetailWriter(TableStyle style) : style_(style), paint_(style.color) {}

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    for (const Row& row : rows) {
      absl::StrAppend(&lines, FitToWidth(BothTexts(row.input), style_.width), "\n");
      if (row.answer.ok()) {
        absl::StrAppend(&lines, Labels(*row.answer, LabelWidth(rows)), Account(*row.answer));
      } else {
        absl::StrAppend(&lines, "  ", paint_(kRed, "error"), "  ", ErrorText(row.answer.status()), "\n");
      }
    }
    return lines;
  }

 private:
  std::string Labels(const Answer& answer, size_t label_width) const {
    if (answer.scores.empty()) return "  no label reaches the threshold\n";
    std::string lines;
    for (size_t i = 0; i < answer.scores.size(); ++i) {
      const LabelScore& s = answer.scores[i];
      absl::StrAppend(
          &lines, "  ", paint_(i == 0 ? kBold : "", PadRight(FitToWidth(s.label, label_width), label_width)),
          PadLeft(Score(s.score), kScoreWidth), "  ", paint_(kCyan, ScoreBar(s.score, kDetailBarCells)), "\n");
    }
    return lines;
  }

  /// Where the time went, and who answered.
  std::string Account(const Answer& a) const {
    const Timing& t = a.timing;
    return paint_(kDim,
                  absl::StrCat("  ", FormatMicros(t.total_us), ": tokenize ", FormatMicros(t.tokenize_us), ", queue ",
                               FormatMicros(t.queue_us), ", compute ", FormatMicros(t.compute_us), "; ", a.tokens,
                               " tokens", a.truncated ? " (cut: longer than the model takes)" : "", " in a batch of ",
                               a.batch_size, "; ", a.model->name, " v", a.model->version, " (", a.model->engine, ", ",
                               a.model->device, ", ", a.model->dtype, ")")) +
           "\n";
  }

  const TableStyle style_;
  const Painter paint_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeTableWriter(TableStyle style) { return std::make_unique<TableWriter>(style); }
std::unique_ptr<RowWriter> MakeDetailWriter(TableStyle style) { return std::make_unique<DetailWriter>(style); }

std::string CodeName(absl::StatusCode code) { return absl::StatusCodeToString(code); }

}  // namespace bertha::cli
