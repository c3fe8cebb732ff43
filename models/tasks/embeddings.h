// Vectors of tokens into the vector of a text. Pure: no tensors, no wire.
//
// The mean, max and cls poolings as `sentence-transformers` Pooling applies them (special tokens count); cls+mean and
// last beside them; normalized to length 1 as its Normalize does.
// Thread-safety: free functions without state.
#ifndef BERTHA_MODELS_TASKS_EMBEDDINGS_H_
#define BERTHA_MODELS_TASKS_EMBEDDINGS_H_

#include <cstddef>
#include <span>
#include <vector>

namespace bertha::models {

enum class Pooling {
  kMean,     ///< mean of all tokens, special tokens included
  kCls,      ///< the first token
  kMax,      ///< largest value of all tokens, for each dimension
  kClsMean,  ///< the first token, then the mean: twice the dimensions
  kLast,     ///< the last token (where XLNet has its <cls>)
};

/// Numbers of a pooled vector.
inline size_t PooledSize(Pooling pooling, size_t dimension) {
  return pooling == Pooling::kClsMean ? 2 * dimension : dimension;
}

/// A window of a text: its tokens' vectors, [tokens, dimension], at least one.
using TokenVectors = std::span<const float>;

/// Replaces the content of `vector` by that of a text: [PooledSize]. `windows`: at least one. A text of several gets
/// the mean of their vectors weighted by their tokens (max: the largest). `normalize`: scaled to length 1; a vector of
/// zeros stays one.
void Pool(std::span<const TokenVectors> windows, size_t dimension, Pooling pooling, bool normalize,
          std::vector<float>& vector);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_EMBEDDINGS_H_
