// A network's weights by the names that its file gives them.
//
// Thread-safety: immutable data; copies share the numbers.
#ifndef BERTHA_MODELS_FAMILIES_NAMED_WEIGHTS_H_
#define BERTHA_MODELS_FAMILIES_NAMED_WEIGHTS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bertha::models {

struct NamedWeight {
  std::vector<size_t> shape;
  /// Row-major; keeps the memory. Null if the numbers are no floating-point ones.
  std::shared_ptr<const float> data;
};

/// By name, e.g. "model.bert.encoder.layer.0.output.dense.weight". Buffers are among them.
using NamedWeights = std::map<std::string, NamedWeight>;

}  // namespace bertha::models

#endif  // BERTHA_MODELS_FAMILIES_NAMED_WEIGHTS_H_
