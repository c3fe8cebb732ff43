#include "batcher/cost_table.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bertha::batcher {
namespace {

constexpr absl::string_view kHeader = "bertha-costs 1: tokens longest nanoseconds batches";
/// Batches that a cell remembers: the newest has at least this share of its mean.
constexpr float kMemory = 32;
/// The line is fitted again each time so many batches were recorded; at first each time.
constexpr size_t kFitEvery = 16;
/// A cell that was measured n times counts n / (n + this) against the line.
constexpr float kTrust = 1;
/// A cell is forgotten that is so many times above a batch: it has seen a first run, or a machine that stood still.
constexpr float kOutlier = 8;
/// Weight of "as small as can be" against one measured cell: decides what the measurements leave open.
constexpr double kRidge = 1e-4;

/// Solves the symmetric system `a` x = `b` for the unknowns in `use`; the others are 0. Its diagonal is positive.
std::array<double, 3> Solve(std::array<std::array<double, 3>, 3> a, std::array<double, 3> b, std::array<bool, 3> use) {
  for (size_t i = 0; i < 3; ++i) {
    if (!use[i]) continue;
    for (size_t j = i + 1; j < 3; ++j) {
      if (!use[j]) continue;
      const double factor = a[j][i] / a[i][i];
      for (size_t k = i; k < 3; ++k) a[j][k] -= factor * a[i][k];
      b[j] -= factor * b[i];
    }
  }
  std::array<double, 3> x = {0, 0, 0};
  for (size_t i = 3; i-- > 0;) {
    if (!use[i]) continue;
    double rest = b[i];
    for (size_t k = i + 1; k < 3; ++k) rest -= a[i][k] * x[k];
    x[i] = rest / a[i][i];
  }
  return x;
}

}  // namespace

CostTable::CostTable() : cells_(kTokenSteps * kLongestSteps) { filled_.reserve(cells_.size()); }

CostTable::Features CostTable::FeaturesOf(double tokens, double longest) { return {1, tokens, tokens * longest}; }

size_t CostTable::CellOf(size_t tokens, size_t longest) {
  const auto octave = static_cast<size_t>(std::bit_width(std::max<size_t>(tokens, 1)) - 1);
  const size_t upper_half = octave > 0 && (tokens >> (octave - 1) & 1) ? 1 : 0;
  const size_t row = std::min(2 * octave + upper_half, kTokenSteps - 1);
  const auto column = static_cast<size_t>(std::bit_width(std::max<size_t>(longest, 1)) - 1);
  return row * kLongestSteps + std::min(column, kLongestSteps - 1);
}

double CostTable::Line(double tokens, double longest) const {
  const Features features = FeaturesOf(tokens, longest);
  return line_[0] * features[0] + line_[1] * features[1] + line_[2] * features[2];
}

Duration CostTable::Estimate(size_t tokens, size_t longest) const {
  const double line = Line(static_cast<double>(tokens), static_cast<double>(longest));
  return Duration(static_cast<int64_t>(line * cells_[CellOf(tokens, longest)].correction));
}

void CostTable::Record(size_t tokens, size_t longest, Duration time) {
  if (tokens == 0 || time.count() <= 0) return;  // a clock that jumped teaches nothing
  const size_t index = CellOf(tokens, longest);
  Cell& cell = cells_[index];
  if (cell.count == 0) {
    filled_.push_back(index);
  } else if (cell.ns > kOutlier * static_cast<float>(time.count())) {
    cell = Cell{};
  }
  cell.count = std::min(cell.count + 1, kMemory);
  const auto learn = [&](float& mean, double value) { mean += (static_cast<float>(value) - mean) / cell.count; };
  learn(cell.tokens, static_cast<double>(tokens));
  learn(cell.longest, static_cast<double>(longest));
  learn(cell.ns, static_cast<double>(time.count()));
  known_ = true;
  if (recorded_++ < kFitEvery || recorded_ % kFitEvery == 0) {
    Fit();
  } else {
    Correct(cell);
  }
}

void CostTable::Correct(Cell& cell) const {
  const double trust = cell.count / (cell.count + kTrust);
  cell.correction = 1 + trust * (cell.ns / std::max(1.0, Line(cell.tokens, cell.longest)) - 1);
}

void CostTable::Fit() {
  FitLine();
  for (const size_t index : filled_) Correct(cells_[index]);
}

void CostTable::FitLine() {
  std::array<std::array<double, 3>, 3> a = {};
  std::array<double, 3> b = {};
  Features scale = {0, 0, 0};  // of each term at the mean cell, so that the ridge has a unit
  for (const size_t index : filled_) {
    const Cell& cell = cells_[index];
    const Features features = FeaturesOf(cell.tokens, cell.longest);
    const double weight = cell.count / (cell.count + kTrust);
    for (size_t i = 0; i < 3; ++i) {
      const double relative = features[i] / cell.ns;
      for (size_t j = 0; j < 3; ++j) a[i][j] += weight * relative * features[j] / cell.ns;
      b[i] += weight * relative;
      scale[i] = std::max(scale[i], relative);
    }
  }
  for (size_t i = 0; i < 3; ++i) a[i][i] += kRidge * scale[i] * scale[i];
  // No term of the time is negative: without what would be, again.
  std::array<bool, 3> use = {true, true, true};
  for (int attempt = 0; attempt < 3; ++attempt) {
    line_ = Solve(a, b, use);
    const auto least = std::min_element(line_.begin(), line_.end());
    if (*least >= 0) return;
    use[static_cast<size_t>(least - line_.begin())] = false;
  }
  line_ = Solve(a, b, {false, true, false});
}

std::string CostTable::Save() const {
  std::string text = absl::StrCat(kHeader, "\n");
  for (const size_t index : filled_) {
    const Cell& cell = cells_[index];
    absl::StrAppend(&text, cell.tokens, " ", cell.longest, " ", cell.ns, " ", cell.count, "\n");
  }
  return text;
}

absl::StatusOr<CostTable> CostTable::Load(absl::string_view text) {
  CostTable table;
  size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (++number == 1) {
      if (line != kHeader) return absl::InvalidArgumentError("line 1: not a cost table of this version");
      continue;
    }
    if (line.empty()) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    std::array<float, 4> values = {};
    bool good = words.size() == values.size();
    for (size_t i = 0; good && i < values.size(); ++i) {
      good = absl::SimpleAtof(words[i], &values[i]) && values[i] >= 1 && values[i] < 1e15F;
    }
    const auto [tokens, longest, ns, count] = values;
    if (!good) return absl::InvalidArgumentError(absl::StrCat("line ", number, ": not four numbers of at least 1"));
    const size_t index = CellOf(static_cast<size_t>(tokens), static_cast<size_t>(longest));
    if (table.cells_[index].count == 0) table.filled_.push_back(index);
    table.cells_[index] = Cell{tokens, longest, ns, std::min(count, kMemory)};
    table.known_ = true;
  }
  if (table.known_) table.Fit();
  return table;
}

}  // namespace bertha::batcher
