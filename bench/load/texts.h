// The texts that a run sends, and labelled ones for `bertha eval`: from a file or made up.
//
// Pure functions but for reading files. Errors name the file and the line.
#ifndef BERTHA_BENCH_LOAD_TEXTS_H_
#define BERTHA_BENCH_LOAD_TEXTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bertha::load {

/// The texts of a file, at least one. `.csv`: those of the column `column` (default "text"); `.jsonl`: the member
/// `column` of each line's object; any other file: its lines, without empty ones, `column` must be empty.
absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& path, const std::string& column);

struct Labelled {
  size_t line = 0;  ///< where it begins, from 1
  std::string text;
  std::string label;
};

/// Of a `.csv` or `.jsonl` file. A label that is a number or a boolean in JSON is taken as it is written.
absl::StatusOr<std::vector<Labelled>> ReadLabelled(const std::string& path, const std::string& text_column,
                                                   const std::string& label_column);

/// How many words a synthetic text has: always between 1 and kMost.
struct Lengths {
  static constexpr size_t kMost = 10'000;
  enum class Kind { kFixed, kUniform, kLognormal };
  Kind kind = Kind::kFixed;
  /// N; or from A to B, both inclusive; or median and sigma (of the logarithm).
  double a = 1, b = 0;
};

/// "fixed:N", "uniform:A,B", "lognormal:MEDIAN,SIGMA".
absl::StatusOr<Lengths> ParseLengths(const std::string& text);

/// English words at random. The same arguments give the same texts on every machine.
std::vector<std::string> SyntheticTexts(const Lengths& lengths, size_t count, uint64_t seed);

}  // namespace bertha::load

#endif  // BERTHA_BENCH_LOAD_TEXTS_H_
