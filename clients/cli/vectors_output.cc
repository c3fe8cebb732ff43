#include "clients/cli/vectors_output.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "clients/cli/text.h"
#include "clients/cli/view.h"

namespace bertha::cli {
namespace {

constexpr size_t kDimensionWidth = 5;
constexpr size_t kNormWidth = 9;
constexpr size_t kNumberWidth = 9;
constexpr size_t kNumbersInTable = 3;
constexpr size_t kNumbersInDetail = 8;
constexpr size_t kMostCompared = 8;  // texts; their matrix fits into 80 columns
constexpr size_t kMinTokenWidth = 5;
constexpr size_t kMaxTokenWidth = 24;

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double Norm(const std::vector<float>& v) { return std::sqrt(Dot(v, v)); }

/// The first `count` numbers, right-aligned; an ellipsis if there are more.
std::string FirstNumbers(const std::vector<float>& v, size_t count) {
  std::string numbers;
  for (size_t i = 0; i < std::min(count, v.size()); ++i) absl::StrAppendFormat(&numbers, "%9.4f", v[i]);
  return v.size() > count ? numbers + " …" : numbers;
}

std::string NormText(const std::vector<float>& v) { return absl::StrFormat("%.4f", Norm(v)); }

class VectorColumns : public TableColumns {
 public:
  explicit VectorColumns(const Painter& paint) : paint_(paint) {}

  void Fit(absl::Span<const Row>) override {}
  size_t Width() const override { return kDimensionWidth + kNormWidth + kNumbersInTable * kNumberWidth + 2; }
  std::string Heading() const override {
    return PadRight(absl::StrCat(PadLeft("DIM", kDimensionWidth), PadLeft("NORM", kNormWidth), "   VECTOR"), Width());
  }
  std::string Cells(const Row& row) override {
    const std::vector<float>& v = std::get<Vectors>(row.result->body).vector;
    if (compared_.size() < kMostCompared) compared_.emplace_back(row.input.index, v);
    ++count_;
    return absl::StrCat(PadLeft(absl::StrCat(v.size()), kDimensionWidth), PadLeft(NormText(v), kNormWidth),
                        paint_(kCyan, PadRight(FirstNumbers(v, kNumbersInTable), kNumbersInTable * kNumberWidth + 2)));
  }
  std::string End() override { return compared_.size() < 2 ? "" : Similarities(); }

 private:
  std::string Similarities() const {
    std::string lines = "cosine similarity";
    if (count_ > compared_.size()) absl::StrAppend(&lines, " of the first ", compared_.size());
    lines = absl::StrCat(paint_(kDim, lines), "\n", std::string(kDimensionWidth, ' '));
    for (const auto& [index, _] : compared_) lines += paint_(kDim, PadLeft(absl::StrCat(index), kNumberWidth));
    lines += "\n";
    for (const auto& [index, a] : compared_) {
      lines += paint_(kDim, PadLeft(absl::StrCat(index), kDimensionWidth));
      for (const auto& [_, b] : compared_) lines += Similarity(a, b);
      lines += "\n";
    }
    return lines;
  }

  static std::string Similarity(const std::vector<float>& a, const std::vector<float>& b) {
    const double norms = Norm(a) * Norm(b);
    return PadLeft(norms > 0 ? absl::StrFormat("%.4f", Dot(a, b) / norms) : "-", kNumberWidth);
  }

  const Painter paint_;
  std::vector<std::pair<uint64_t, std::vector<float>>> compared_;  // index and vector
  uint64_t count_ = 0;
};

std::string TokenLines(const std::vector<TokenVector>& tokens, const Painter& paint) {
  std::vector<std::string> names;
  size_t width = kMinTokenWidth;
  for (const TokenVector& t : tokens) {
    names.push_back(EscapeInvisible(t.token));
    width = std::max(width, std::min(DisplayWidth(names.back()), kMaxTokenWidth));
  }
  std::string lines;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const TokenVector& t = tokens[i];
    absl::StrAppend(&lines, "  ", PadRight(FitToWidth(names[i], width), width), PadLeft(Slice(t.chars), kNumberWidth),
                    PadLeft(absl::StrCat(t.vector.size()), kDimensionWidth), PadLeft(NormText(t.vector), kNormWidth),
                    paint(kCyan, FirstNumbers(t.vector, kNumbersInTable)), "\n");
  }
  return lines;
}

std::string VectorLines(const Row& row, TableStyle style) {
  const Painter paint(style.color);
  const auto& vectors = std::get<Vectors>(row.result->body);
  const std::string text = FitToWidth(BothTexts(row.input), style.width) + "\n";
  if (!vectors.tokens.empty()) return text + TokenLines(vectors.tokens, paint);
  const std::vector<float>& v = vectors.vector;
  return absl::StrCat(text, " ", paint(kCyan, FirstNumbers(v, kNumbersInDetail)), "\n  ", v.size(),
                      " dimensions, norm ", NormText(v), "\n");
}

Json VectorsJson(const Vectors& vectors) {
  Json json;
  if (vectors.tokens.empty()) {
    json["vector"] = vectors.vector;
    return json;
  }
  json["token_vectors"] = Json::array();
  for (const TokenVector& t : vectors.tokens) {
    json["token_vectors"].push_back(
        Json{{"token", t.token}, {"bytes", RangeJson(t.bytes)}, {"chars", RangeJson(t.chars)}, {"vector", t.vector}});
  }
  return json;
}

}  // namespace

std::unique_ptr<RowWriter> MakeVectorsTable(TableStyle style) {
  return MakeTableWriter(style, std::make_unique<VectorColumns>(Painter(style.color)));
}

std::unique_ptr<RowWriter> MakeVectorsDetail(TableStyle style, bool single) {
  return MakeBlockWriter(style, single, [style](const Row& row) { return VectorLines(row, style); });
}

std::unique_ptr<RowWriter> MakeVectorsJson() {
  return MakeJsonWriter([](const Result& result) { return VectorsJson(std::get<Vectors>(result.body)); });
}

}  // namespace bertha::cli
