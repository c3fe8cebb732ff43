// Several engines on several shapes, in turns (A B A B), so that whatever else the machine does hits all alike.
#ifndef BERTHA_BENCH_ENCODER_MEASURE_H_
#define BERTHA_BENCH_ENCODER_MEASURE_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/encoder/engines.h"
#include "bench/encoder/shapes.h"
#include "bench/encoder/timing.h"

namespace bertha::bench {

struct Plan {
  std::vector<Shape> shapes;
  /// Turns that each engine gets with each shape. Every one is at least one pass.
  int rounds = 7;
  /// Of all turns of an engine with a shape.
  double seconds = 2;
  /// Busy threads beside every second turn; 0: none, and no such turns.
  int neighbours = 0;
};

/// What matrix products gave in the same rounds.
struct CeilingResult {
  std::string dtype;
  /// Whose they are.
  std::string by;
  int threads = 0;
  double operations = 0;
  /// Milliseconds.
  Summary passes;

  double gflops() const { return operations / passes.median / 1e6; }
  double best_gflops() const { return operations / passes.min / 1e6; }
};

struct EngineResult {
  Summary passes, stage, run;
  /// Beside busy neighbours, if there were any.
  std::optional<Summary> busy;
  /// Time of the first engine by this one's, of each round: 2 is twice as fast.
  Summary speedup;
  /// Unset if they are not known.
  std::optional<double> operations;
  /// Milliseconds of each step, medians; empty if the engine does not tell.
  std::vector<std::pair<std::string, double>> steps;

  double tokens_per_second(const Shape& shape) const {
    return static_cast<double>(shape.tokens()) / passes.median * 1e3;
  }
  std::optional<double> gflops() const;
};

struct ShapeResult {
  Shape shape;
  /// Of each numeric type (and number of threads) that an engine has.
  std::vector<CeilingResult> ceilings;
  /// As the engines.
  std::vector<EngineResult> engines;

  /// The fastest products of the engine's type; null if there are none.
  const CeilingResult* CeilingOf(const EngineChoice& choice) const;
};

/// One pass of each shape and another one, so that memory is taken and threads are there; what that added to the
/// resident memory is added to the engine's. INVALID_ARGUMENT if a shape is longer than the model takes.
absl::Status WarmUp(Engine& engine, const std::vector<Shape>& shapes);

/// `progress` is told what comes next. Errors: those of a pass.
absl::StatusOr<std::vector<ShapeResult>> Measure(const std::vector<Engine>& engines, const Plan& plan,
                                                 const std::function<void(const std::string&)>& progress);

/// Seconds that matrix products are measured at a time.
inline constexpr double kCeilingTurn = 0.1;

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_MEASURE_H_
