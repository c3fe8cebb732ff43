// Takes weights by name and expected shape, and says which one is wrong: as JsonReader does with the keys of an object.
//
// Use: read all that the family has, then call Done(), which gives the first error, or names a weight that nobody asked
// for: leaving it out would change the answers. What is read is finite. Thread-safety: none; a reader belongs to one
// function.
#ifndef BERTHA_MODELS_FAMILIES_WEIGHT_READER_H_
#define BERTHA_MODELS_FAMILIES_WEIGHT_READER_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "models/families/encoder_weights.h"
#include "models/families/named_weights.h"

namespace bertha::models {

/// As a size that is expected: whatever the weight has, as long as it is not 0.
inline constexpr size_t kAny = 0;

class WeightReader {
 public:
  explicit WeightReader(NamedWeights weights);

  /// The only name that is `suffix`, or ends with it behind a dot, less `suffix`; "" with an error if there is none, or
  /// another.
  std::string PrefixOf(absl::string_view suffix);

  /// Empty after an error. `shape` has kAny for what may be any size; what it is then is filled in.
  std::span<const float> Tensor(const std::string& name, std::vector<size_t>& shape);
  MatrixView Matrix(const std::string& name, size_t rows, size_t columns);
  std::span<const float> Vector(const std::string& name, size_t size);
  /// NAME.weight and NAME.bias.
  LinearWeights Linear(const std::string& name, size_t outputs, size_t inputs);
  NormWeights Norm(const std::string& name, size_t size);

  /// Whether any name begins so.
  bool Has(const std::string& prefix) const;
  /// Names that begin so change nothing in the answers.
  void Ignore(const std::string& prefix);
  /// Memory for what is made of weights, in the same storage.
  std::span<float> Allocate(size_t size);

  /// Remembers an error of the caller's; the first one counts.
  void Fail(const std::string& message);
  absl::Status Done() const;
  /// What Done() would say if all weights were asked for.
  const absl::Status& first_error() const { return status_; }
  /// What keeps all that was read.
  std::shared_ptr<const void> storage() const { return storage_; }

 private:
  struct Storage {
    NamedWeights weights;
    std::deque<std::vector<float>> made;
  };

  const std::shared_ptr<Storage> storage_;
  std::set<std::string> asked_;
  absl::Status status_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FAMILIES_WEIGHT_READER_H_
