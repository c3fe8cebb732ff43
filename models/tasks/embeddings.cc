#include "models/tasks/embeddings.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace bertha::models {
namespace {

size_t Tokens(const TokenVectors& window, size_t dimension) { return window.size() / dimension; }

/// Appends the weighted mean of one row of each window; `row` gives its number for so many tokens.
template <typename Row>
void AppendRow(std::span<const TokenVectors> windows, size_t dimension, const Row& row, std::vector<float>& vector) {
  for (size_t d = 0; d < dimension; ++d) {
    double sum = 0, weights = 0;
    for (const TokenVectors& window : windows) {
      const size_t tokens = Tokens(window, dimension);
      sum += static_cast<double>(tokens) * window[row(tokens) * dimension + d];
      weights += static_cast<double>(tokens);
    }
    vector.push_back(static_cast<float>(sum / weights));
  }
}

/// The mean of all tokens of all windows is that of the windows' means weighted by their tokens.
void AppendMean(std::span<const TokenVectors> windows, size_t dimension, std::vector<float>& vector) {
  std::array<double, 64> sums;  // columns at a time: rows are read in order, and nothing is allocated
  for (size_t begin = 0; begin < dimension; begin += sums.size()) {
    const size_t columns = std::min(sums.size(), dimension - begin);
    sums.fill(0);
    size_t tokens = 0;
    for (const TokenVectors& window : windows) {
      for (size_t at = begin; at < window.size(); at += dimension, ++tokens) {
        for (size_t i = 0; i < columns; ++i) sums[i] += window[at + i];
      }
    }
    for (size_t i = 0; i < columns; ++i) vector.push_back(static_cast<float>(sums[i] / static_cast<double>(tokens)));
  }
}

void AppendMax(std::span<const TokenVectors> windows, size_t dimension, std::vector<float>& vector) {
  vector.assign(windows.front().begin(), windows.front().begin() + static_cast<ptrdiff_t>(dimension));
  for (const TokenVectors& window : windows) {
    for (size_t at = 0; at < window.size(); at += dimension) {
      for (size_t i = 0; i < dimension; ++i) vector[i] = std::max(vector[i], window[at + i]);
    }
  }
}

void Normalize(std::vector<float>& vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * x;
  const double length = std::max(std::sqrt(squares), 1e-12);  // as torch.nn.functional.normalize has it
  for (float& x : vector) x = static_cast<float>(x / length);
}

}  // namespace

void Pool(std::span<const TokenVectors> windows, size_t dimension, Pooling pooling, bool normalize,
          std::vector<float>& vector) {
  vector.clear();
  const auto first = [](size_t) { return size_t{0}; };
  const auto last = [](size_t tokens) { return tokens - 1; };
  switch (pooling) {
    case Pooling::kMean:
      AppendMean(windows, dimension, vector);
      break;
    case Pooling::kCls:
      AppendRow(windows, dimension, first, vector);
      break;
    case Pooling::kMax:
      AppendMax(windows, dimension, vector);
      break;
    case Pooling::kClsMean:
      AppendRow(windows, dimension, first, vector);
      AppendMean(windows, dimension, vector);
      break;
    case Pooling::kLast:
      AppendRow(windows, dimension, last, vector);
      break;
  }
  if (normalize) Normalize(vector);
}

}  // namespace bertha::models
