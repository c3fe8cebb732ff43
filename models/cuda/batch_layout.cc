#include "models/cuda/batch_layout.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace bertha::cuda {
namespace {

using models::CudaBatch;
using models::CudaOutcome;
using models::HeadRows;

constexpr size_t kTileInts = sizeof(AttentionTile) / sizeof(int32_t);

int RoundUp(int x, int multiple) { return (x + multiple - 1) / multiple * multiple; }

int TilesOf(int length) { return (length + kTileQueries - 1) / kTileQueries; }

int LengthOf(const CudaBatch& batch, size_t i) { return batch.cu_seqlens[i + 1] - batch.cu_seqlens[i]; }

CudaOutcome Invalid(size_t sequence, const std::string& message) {
  return {CudaOutcome::Code::kInvalid, "sequence " + std::to_string(sequence) + ": " + message};
}

CudaOutcome CheckSequence(const InputRules& rules, const CudaBatch& batch, size_t i) {
  const int begin = batch.cu_seqlens[i], length = LengthOf(batch, i);
  if (length < 1 || length > rules.max_length) {
    return Invalid(i, std::to_string(length) + " tokens, expected 1 to " + std::to_string(rules.max_length));
  }
  for (int t = begin; t < begin + length; ++t) {
    if (batch.ids[t] < 0 || batch.ids[t] >= rules.vocabulary) {
      return Invalid(
          i, "token id " + std::to_string(batch.ids[t]) + ", the vocabulary has " + std::to_string(rules.vocabulary));
    }
    if (rules.types && (batch.type_ids[t] < 0 || batch.type_ids[t] >= rules.types)) {
      return Invalid(i,
                     "type id " + std::to_string(batch.type_ids[t]) + ", the model has " + std::to_string(rules.types));
    }
  }
  return {};
}

void FillPositions(const InputRules& rules, std::span<const int32_t> ids, int32_t* to) {
  int32_t next = rules.first_position;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool skipped = rules.skipped_id >= 0 && ids[i] == rules.skipped_id;
    to[i] = skipped ? rules.first_position - 1 : next++;
  }
}

}  // namespace

int TokenBucket(int tokens) {
  const int power = static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::max(tokens, 1))));
  return RoundUp(std::max(tokens, 1), std::max(16, power / 16));
}

int RowBucket(int rows) {
  if (rows <= 8) return 8;
  return rows <= 64 ? 64 : TokenBucket(rows);
}

std::vector<int> TokenBuckets(int tokens) {
  std::vector<int> buckets;
  for (int bucket = TokenBucket(1); bucket <= TokenBucket(tokens); bucket = TokenBucket(bucket + 1)) {
    buckets.push_back(bucket);
  }
  return buckets;
}

InputRules RulesOf(const models::EncoderWeights& weights) {
  const models::EmbeddingWeights& embedding = weights.embedding;
  return {.vocabulary = static_cast<int>(embedding.words.rows),
          .types = static_cast<int>(embedding.types.rows),
          .max_length = static_cast<int>(weights.max_length),
          .first_position = static_cast<int>(embedding.first_position),
          .skipped_id = embedding.skipped_id,
          .head_rows = weights.head.rows};
}

CudaOutcome CheckBatch(const InputRules& rules, const CudaBatch& batch) {
  const size_t tokens = batch.size() == 0 ? 0 : static_cast<size_t>(std::max(batch.cu_seqlens.back(), 0));
  if (batch.size() && batch.cu_seqlens[0] != 0) return Invalid(0, "does not begin at 0");
  if (batch.ids.size() != tokens || batch.type_ids.size() != tokens) {
    return {CudaOutcome::Code::kInvalid, std::to_string(batch.ids.size()) + " ids and " +
                                             std::to_string(batch.type_ids.size()) + " type ids of " +
                                             std::to_string(tokens) + " tokens"};
  }
  // First the lengths: until they are known to be positive, no offset is known to lie within the batch.
  for (size_t i = 0; i < batch.size(); ++i) {
    if (LengthOf(batch, i) < 1) return Invalid(i, "is empty");
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    if (CudaOutcome outcome = CheckSequence(rules, batch, i); !outcome.ok()) return outcome;
  }
  return {};
}

InputLayout::InputLayout(int token_bucket, int row_bucket)
    : ids(0),
      type_ids(ids + token_bucket),
      positions(type_ids + token_bucket),
      rows(positions + token_bucket),
      counts(rows + row_bucket),
      row_tiles(counts + 2),
      tiles(row_tiles + row_bucket * kTileInts) {}

std::vector<Part> PlanParts(const InputRules& rules, const CudaBatch& batch, int max_tokens) {
  constexpr size_t kAlignment = 4;  // int32: a part begins at a multiple of 16 bytes
  const bool all_rows = rules.head_rows == HeadRows::kAll;
  std::vector<Part> parts;
  size_t input = 0, row = 0;
  for (size_t i = 0; i < batch.size();) {
    Part part{.first = i, .last = i, .input = input, .first_row = row};
    while (i < batch.size() && (part.tokens == 0 || part.tokens + LengthOf(batch, i) <= max_tokens)) {
      part.tokens += LengthOf(batch, i);
      part.tiles += TilesOf(LengthOf(batch, i));
      part.last = ++i;
    }
    part.token_bucket = TokenBucket(part.tokens);
    part.rows = all_rows ? part.tokens : static_cast<int>(part.last - part.first);
    part.row_tiles = all_rows ? 0 : part.rows;
    part.row_bucket = all_rows ? 0 : RowBucket(part.rows);
    const InputLayout layout(part.token_bucket, part.row_bucket);
    part.input_count = layout.tiles + static_cast<size_t>(part.tiles) * kTileInts;
    input += (part.input_count + kAlignment - 1) / kAlignment * kAlignment;
    row += static_cast<size_t>(part.rows);
    parts.push_back(part);
  }
  return parts;
}

size_t InputCount(std::span<const Part> parts) {
  return parts.empty() ? 0 : parts.back().input + parts.back().input_count;
}

void FillInput(const InputRules& rules, const CudaBatch& batch, const Part& part, int32_t* input) {
  const InputLayout layout(part.token_bucket, part.row_bucket);
  int32_t* const to = input + part.input;
  const int begin = batch.cu_seqlens[part.first];
  memset(to, 0, layout.row_tiles * sizeof *to);
  std::copy_n(batch.ids.begin() + begin, part.tokens, to + layout.ids);
  std::copy_n(batch.type_ids.begin() + begin, part.tokens, to + layout.type_ids);
  to[layout.counts] = part.tiles;
  to[layout.counts + 1] = part.row_tiles;
  auto put_tile = [&](size_t at, const AttentionTile& tile) { memcpy(to + at, &tile, sizeof tile); };
  size_t next_tile = layout.tiles;
  for (size_t i = part.first; i < part.last; ++i) {
    const int first = batch.cu_seqlens[i] - begin, length = LengthOf(batch, i);
    FillPositions(rules, batch.ids.subspan(batch.cu_seqlens[i], length), to + layout.positions + first);
    for (int query = 0; query < length; query += kTileQueries, next_tile += kTileInts) {
      put_tile(next_tile, {.query = first + query,
                           .queries = std::min(kTileQueries, length - query),
                           .position = query,
                           .key = first,
                           .keys = length});
    }
    if (rules.head_rows == HeadRows::kAll) continue;
    const int row = static_cast<int>(i - part.first), position = rules.head_rows == HeadRows::kLast ? length - 1 : 0;
    to[layout.rows + row] = first + position;
    put_tile(layout.row_tiles + row * kTileInts,
             {.query = row, .queries = 1, .position = position, .key = first, .keys = length});
  }
}

}  // namespace bertha::cuda
