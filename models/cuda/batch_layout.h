// How a packed batch becomes the one block of numbers that is copied to the device: pure, no CUDA calls.
//
// Token counts are rounded up to buckets, so that matrix products have few shapes: the tokens that fill a bucket up
// belong to no sequence, so nobody reads what is computed for them.
//
// Thread-safety: free functions and immutable data.
#ifndef BERTHA_MODELS_CUDA_BATCH_LAYOUT_H_
#define BERTHA_MODELS_CUDA_BATCH_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/cuda_plugin.h"
#include "models/kernels/cuda/kernels.h"

namespace bertha::cuda {

/// Multiples of 16 up to 256; beyond that sixteenths of the power of two above: up to 6% of a batch is filling.
int TokenBucket(int tokens);

/// For the rows that a head reads of a batch of sequences: 8, 64, then TokenBucket.
int RowBucket(int rows);

/// All buckets up to that of `tokens`, ascending.
std::vector<int> TokenBuckets(int tokens);

/// What a model makes of ids.
struct InputRules {
  int vocabulary = 0;
  int types = 0;  ///< of segments that there are embeddings for; 0: any type
  int max_length = 0;
  int first_position = 0;
  int32_t skipped_id = -1;  ///< as EmbeddingWeights
  models::HeadRows head_rows = models::HeadRows::kAll;
};

InputRules RulesOf(const models::EncoderWeights& weights);

/// kInvalid, naming the sequence, for a batch that would read outside a table.
models::CudaOutcome CheckBatch(const InputRules& rules, const models::CudaBatch& batch);

/// A part of a batch that runs at once, and where its input lies: offsets in int32.
struct Part {
  size_t first = 0, last = 0;  ///< sequences [first, last)
  int tokens = 0;
  int token_bucket = 0;
  int rows = 0;  ///< of the output
  int row_bucket = 0;
  int tiles = 0, row_tiles = 0;
  size_t input = 0;        ///< where the part's input begins
  size_t input_count = 0;  ///< int32 of it
  size_t first_row = 0;    ///< of the output
};

/// Offsets within a part's input; the same for all parts with the same buckets.
struct InputLayout {
  InputLayout(int token_bucket, int row_bucket);

  size_t ids, type_ids, positions;  ///< [token_bucket]
  size_t rows;                      ///< [row_bucket] tokens that the head reads; filled up with 0
  size_t counts;                    ///< [2] tiles: of all queries, of those of `rows` alone
  size_t row_tiles;                 ///< [row_bucket] AttentionTile: a query is its row in `rows`
  size_t tiles;                     ///< AttentionTile, to the end: as many as there are
};

/// Parts of at most `max_tokens` (>= the longest sequence), whole sequences each, in order.
std::vector<Part> PlanParts(const InputRules& rules, const models::CudaBatch& batch, int max_tokens);

/// int32 of the inputs of all parts.
size_t InputCount(std::span<const Part> parts);

/// Writes the part's input to `input` + part.input.
void FillInput(const InputRules& rules, const models::CudaBatch& batch, const Part& part, int32_t* input);

}  // namespace bertha::cuda

#endif  // BERTHA_MODELS_CUDA_BATCH_LAYOUT_H_
