// How many operations a forward pass takes, from the architecture alone: the matrix products, which are all but 1% of
// it.
//
// A multiplication and an addition are two operations. Only what an engine must do is counted: no padding, and of the
// last layer only what the head's rows need. What an engine does beyond that lowers its GFLOP/s.
// Thread-safety: immutable data and pure functions.
#ifndef BERTHA_BENCH_ENCODER_OPERATIONS_H_
#define BERTHA_BENCH_ENCODER_OPERATIONS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "models/families/encoder_weights.h"

namespace bertha::bench {

/// The sizes that operations depend on; keeps no weights.
struct Architecture {
  double layers = 0;
  double hidden = 0;
  double attention = 0;  ///< heads * head_size
  double intermediate = 0;
  /// Width of factorised embeddings; 0 if they are as wide as the rest.
  double embedding_width = 0;
  /// XLNet: every pair of tokens has a product for its distance too, and every token two for the segments. The
  /// distances' keys are the model's own and computed once.
  bool relative = false;
  /// True if each sequence has one row of outputs, and the last layer is needed for it alone.
  bool row_per_sequence = false;
  /// Of the head, for one row.
  double head_operations = 0;
};

Architecture ArchitectureOf(const models::EncoderWeights& weights);

/// Operations for a batch of sequences of these lengths, in tokens.
double Operations(const Architecture& architecture, std::span<const int32_t> lengths);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_OPERATIONS_H_
