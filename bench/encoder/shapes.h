// What is measured: batches of sequences, by their lengths.
#ifndef BERTHA_BENCH_ENCODER_SHAPES_H_
#define BERTHA_BENCH_ENCODER_SHAPES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/encoder.h"
#include "models/manifest.h"

namespace bertha::bench {

struct Shape {
  std::string name;
  /// Of each sequence, in tokens.
  std::vector<int32_t> lengths;

  size_t tokens() const;
  int32_t longest() const;
  /// Tokens of the batch if all sequences were as long as the longest.
  size_t padded_tokens() const { return lengths.size() * static_cast<size_t>(longest()); }
};

/// "8x128" is 8 sequences of 128 tokens. INVALID_ARGUMENT for anything else.
absl::StatusOr<Shape> ParseShape(absl::string_view text);

/// A shape for each line of the file: lengths with spaces between; empty lines are skipped. INVALID_ARGUMENT names the
/// line, NOT_FOUND the file.
absl::StatusOr<std::vector<Shape>> ReadLengths(const std::string& file);

/// Token ids to measure with. What they are hardly matters to the time.
struct Batch {
  std::vector<int32_t> ids, type_ids, cu_seqlens;

  void Append(const std::vector<int32_t>& sequence, const std::vector<int32_t>& types);
  batcher::PackedBatch view() const { return {ids, type_ids, cu_seqlens}; }
};

/// Random ids of `vocabulary`, none of them the padding's, with a seed of its own: the same batch in every run.
Batch MakeBatch(const std::vector<int32_t>& lengths, size_t vocabulary, const models::Manifest& manifest);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_SHAPES_H_
