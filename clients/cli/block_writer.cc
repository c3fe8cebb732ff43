#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/output.h"
#include "clients/cli/text.h"
#include "clients/cli/view.h"

namespace bertha::cli {
namespace {

class BlockWriter : public RowWriter {
 public:
  BlockWriter(TableStyle style, bool single, BlockBody body)
      : style_(style), paint_(style.color), single_(single), body_(std::move(body)) {}

  std::string Rows(absl::Span<const Row> rows) override {
    std::string lines;
    for (const Row& row : rows) {
      if (std::exchange(begun_, true)) lines += "\n";
      lines += row.result.ok() ? ResultBlock(row) : ErrorBlock(row);
    }
    return lines;
  }

  std::string End() override {
    return single_ || !means_.any() ? "" : absl::StrCat("\n", paint_(kDim, means_.Line()), "\n");
  }

 private:
  std::string ResultBlock(const Row& row) {
    const Result& r = *row.result;
    means_.Add(r);
    std::string lines = body_(row);
    if (single_) {
      absl::StrAppend(&lines, paint_(kDim, absl::StrCat("  ", Account(r))), "\n");
    } else if (r.windows > 1) {
      absl::StrAppend(&lines, paint_(kDim, absl::StrCat("  longer than the model takes: ", r.windows, " windows")),
                      "\n");
    } else if (r.truncated) {
      absl::StrAppend(&lines, paint_(kDim, "  longer than the model takes: cut"), "\n");
    }
    return lines;
  }

  std::string ErrorBlock(const Row& row) const {
    return absl::StrCat(FitToWidth(BothTexts(row.input), style_.width), "\n  ", paint_(kRed, "error"), "  ",
                        ErrorText(row.result.status()), "\n");
  }

  const TableStyle style_;
  const Painter paint_;
  const bool single_;
  const BlockBody body_;
  bool begun_ = false;
  Means means_;
};

}  // namespace

std::unique_ptr<RowWriter> MakeBlockWriter(TableStyle style, bool single, BlockBody body) {
  return std::make_unique<BlockWriter>(style, single, std::move(body));
}

}  // namespace bertha::cli
