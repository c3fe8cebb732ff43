#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/output.h"
#include "clients/cli/text.h"
#include "clients/cli/view.h"

namespace bertha::cli {
namespace {

constexpr size_t kIndexWidth = 5;
constexpr size_t kErrorWidth = 8;
constexpr size_t kTokensWidth = 7;
constexpr size_t kTimeWidth = 9;
constexpr size_t kMinTextWidth = 16;

/// "412 ", "128+": some were cut off, "412w4": of 4 windows.
std::string TokensCell(const Result& r) {
  if (r.windows > 1) return absl::StrCat(r.tokens, "w", r.windows);
  return absl::StrCat(r.tokens, r.truncated ? "+" : " ");
}

class TableWriter : public RowWriter {
 public:
  TableWriter(TableStyle style, std::unique_ptr<TableColumns> columns)
      : style_(style), paint_(style.color), columns_(std::move(columns)) {}

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    if (!begun_) {
      begun_ = true;
      columns_->Fit(rows);
      lines = Heading();
    }
    for (const Row& row : rows) lines += row.result.ok() ? ResultLine(row) : ErrorLine(row);
    return lines;
  }

  std::string End() override {
    if (!means_.any()) return "";
    const std::string line = absl::StrCat(
        means_.Line(), means_.any_truncated() ? "; + after tokens: longer than the model takes, cut" : "",
        means_.any_windows() ? "; wN after tokens: longer than the model takes, computed in N windows" : "");
    return absl::StrCat(columns_->End(), paint_(kDim, line), "\n");
  }

 private:
  size_t TextWidth() const {
    const size_t fixed = kIndexWidth + columns_->Width() + kTokensWidth + kTimeWidth + 6;
    return std::max(kMinTextWidth, style_.width > fixed ? style_.width - fixed : 0);
  }

  std::string Heading() const {
    return paint_(kDim, absl::StrCat(PadLeft("#", kIndexWidth), "  ", columns_->Heading(),
                                     PadLeft("TOKENS", kTokensWidth), "  ", PadLeft("TIME", kTimeWidth), "  TEXT")) +
           "\n";
  }

  std::string ResultLine(const Row& row) {
    const Result& r = *row.result;
    means_.Add(r);
    return absl::StrCat(PadLeft(absl::StrCat(row.input.index), kIndexWidth), "  ", columns_->Cells(row),
                        PadLeft(TokensCell(r), kTokensWidth), "  ",
                        PadLeft(FormatMicros(r.timing.total_us), kTimeWidth), "  ",
                        FitToWidth(BothTexts(row.input), TextWidth()), "\n");
  }

  std::string ErrorLine(const Row& row) const {
    return absl::StrCat(PadLeft(absl::StrCat(row.input.index), kIndexWidth), "  ",
                        paint_(kRed, PadRight("error", kErrorWidth)), "  ",
                        FitToWidth(ErrorText(row.result.status()), std::max<size_t>(style_.width, 80)), "\n");
  }

  const TableStyle style_;
  const Painter paint_;
  const std::unique_ptr<TableColumns> columns_;
  bool begun_ = false;
  Means means_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeTableWriter(TableStyle style, std::unique_ptr<TableColumns> columns) {
  return std::make_unique<TableWriter>(style, std::move(columns));
}

std::string CodeName(absl::StatusCode code) { return absl::StatusCodeToString(code); }

std::string ErrorText(const absl::Status& error) { return absl::StrCat(CodeName(error.code()), ": ", error.message()); }

}  // namespace bertha::cli
