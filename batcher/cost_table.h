// How long a batch takes on one replica of one model: what admission and batch forming reckon with.
//
// Two layers. The lower one is a linear model of a forward pass,
//
//   ns = fixed + per_token * tokens + per_pair * tokens * longest
//
// (launching; matrix products and element-wise work; attention, whose work is tokens times sequence length), fitted by
// least squares on relative errors. The upper one is a table over (tokens, longest) in half octaves and octaves that
// corrects the model where batches were measured: caches, thread counts and padding bend the line. So a table that has
// seen two runs can answer for every shape, and one that has seen thousands answers well.
//
// Tokens are those that the engine computes: with padding, if it pads.
//
// Thread-safety: thread-compatible. Neither Estimate nor Record allocates.
#ifndef BERTHA_BATCHER_COST_TABLE_H_
#define BERTHA_BATCHER_COST_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/clock.h"

namespace bertha::batcher {

class CostTable {
 public:
  CostTable();

  /// What a batch of these tokens, whose longest sequence is `longest`, will take. Zero while nothing is known.
  Duration Estimate(size_t tokens, size_t longest) const;

  /// Learns that such a batch took `time`. Recent batches count most: a machine changes its speed.
  void Record(size_t tokens, size_t longest, Duration time);

  /// Whether anything was recorded.
  bool known() const { return known_; }

  /// The table as text, to be read by a later process: a header and a line for each cell that has measurements.
  std::string Save() const;
  /// What Save wrote. INVALID_ARGUMENT names the line.
  static absl::StatusOr<CostTable> Load(absl::string_view text);

 private:
  static constexpr size_t kTokenSteps = 48;    // half octaves: 1 to 2^24 tokens
  static constexpr size_t kLongestSteps = 18;  // octaves: 1 to 2^18 tokens
  using Coefficients = std::array<double, 3>;
  using Features = std::array<double, 3>;

  /// Means over the batches of a shape; `count` is how many, up to where old ones are forgotten.
  struct Cell {
    float tokens = 0, longest = 0, ns = 0, count = 0;
    double correction = 1;  // what the line is multiplied by
  };

  static Features FeaturesOf(double tokens, double longest);
  static size_t CellOf(size_t tokens, size_t longest);
  double Line(double tokens, double longest) const;
  void Correct(Cell& cell) const;
  void FitLine();
  void Fit();

  std::vector<Cell> cells_;     // [kTokenSteps * kLongestSteps]
  std::vector<size_t> filled_;  // the cells that have measurements
  Coefficients line_ = {0, 0, 0};
  size_t recorded_ = 0;
  bool known_ = false;
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_COST_TABLE_H_
