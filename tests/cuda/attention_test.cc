// Attention on tensor cores and off them, plain and relative, against loops over doubles.
#include <algorithm>
#include <cmath>

#include "tests/cuda/device_array.h"

namespace bertha::cuda {
namespace {

/// A batch and its queries, keys and values, which lie side by side as after one product.
struct Case {
  Dtype dtype;
  int heads, head_size;
  std::vector<int> lengths;
  bool relative = false;
  int max_length = 0;
  float size = 1;  ///< of queries and keys

  int width() const { return heads * head_size; }
};

struct Inputs {
  explicit Inputs(const Case& c) : c(c) {
    for (const int length : c.lengths) tokens += length;
    const auto width = static_cast<size_t>(c.width());
    qkv = RandomNumbers(static_cast<size_t>(tokens) * 3 * width, c.dtype, 1, c.size);
    if (!c.relative) return;
    keys = RandomNumbers((2 * static_cast<size_t>(c.max_length) - 1) * width, c.dtype, 2, c.size);
    content_bias = RandomNumbers(width, Dtype::kFp32, 3);
    position_bias = RandomNumbers(width, Dtype::kFp32, 4);
    segment_bias = RandomNumbers(width, Dtype::kFp32, 5);
    for (int s = 0; s < 2; ++s) segments[s] = RandomNumbers(width, Dtype::kFp32, 6 + static_cast<unsigned>(s));
    for (int i = 0; i < tokens; ++i) types.push_back(i % 5 < 2 ? 0 : i % 5 - 2);
  }

  float q(int row, int column) const { return qkv[static_cast<size_t>(row) * 3 * c.width() + column]; }
  float k(int row, int column) const { return q(row, c.width() + column); }
  float v(int row, int column) const { return q(row, 2 * c.width() + column); }

  const Case& c;
  int tokens = 0;
  std::vector<float> qkv, keys, content_bias, position_bias, segment_bias, segments[2];
  std::vector<int32_t> types;
};

double Score(const Inputs& in, int head, int query, int key, int distance) {
  const Case& c = in.c;
  double sum = 0;
  for (int i = head * c.head_size; i < (head + 1) * c.head_size; ++i) {
    const double q = in.q(query, i), k = in.k(key, i);
    if (!c.relative) {
      sum += q * k;
      continue;
    }
    const double r = in.keys[static_cast<size_t>(distance + c.max_length - 1) * c.width() + i];
    sum += (q + in.content_bias[i]) * k + (q + in.position_bias[i]) * r +
           (q + in.segment_bias[i]) * in.segments[in.types[query] != in.types[key]][i];
  }
  return sum / std::sqrt(c.head_size);
}

/// One query's row: [width].
std::vector<double> Attended(const Inputs& in, int first_key, int length, int position) {
  std::vector<double> row;
  for (int head = 0; head < in.c.heads; ++head) {
    std::vector<double> weights;
    double highest = -INFINITY, sum = 0;
    for (int j = 0; j < length; ++j) {
      weights.push_back(Score(in, head, first_key + position, first_key + j, position - j));
      highest = std::max(highest, weights.back());
    }
    for (double& weight : weights) sum += weight = std::exp(weight - highest);
    for (int i = head * in.c.head_size; i < (head + 1) * in.c.head_size; ++i) {
      double value = 0;
      for (int j = 0; j < length; ++j) value += weights[static_cast<size_t>(j)] / sum * in.v(first_key + j, i);
      row.push_back(value);
    }
  }
  return row;
}

std::vector<AttentionTile> AllTiles(const Case& c) {
  std::vector<AttentionTile> tiles;
  int first = 0;
  for (const int length : c.lengths) {
    for (int i = 0; i < length; i += kTileQueries) {
      tiles.push_back({first + i, std::min(kTileQueries, length - i), i, first, length});
    }
    first += length;
  }
  return tiles;
}

/// One query of each sequence: its last token's, from a matrix of its own.
std::vector<AttentionTile> LastTiles(const Case& c) {
  std::vector<AttentionTile> tiles;
  int first = 0;
  for (const int length : c.lengths) {
    tiles.push_back({static_cast<int>(tiles.size()), 1, length - 1, first, length});
    first += length;
  }
  return tiles;
}

using Kernel = cudaError_t (*)(cudaStream_t, Dtype, const AttentionArguments&, int);

void Check(const Case& c, Kernel kernel, bool last_only, int blocks) {
  CAPTURE(NameOf(c.dtype), c.heads, c.head_size, c.lengths, c.relative, last_only, blocks);
  const Inputs in(c);
  const int width = c.width();
  const std::vector<AttentionTile> tiles = last_only ? LastTiles(c) : AllTiles(c);
  std::vector<float> queries;
  std::vector<double> expected;
  for (const AttentionTile& tile : tiles) {
    for (int i = 0; i < tile.queries; ++i) {
      for (int column = 0; column < width; ++column) queries.push_back(in.q(tile.key + tile.position + i, column));
      for (const double x : Attended(in, tile.key, tile.keys, tile.position + i)) expected.push_back(x);
    }
  }
  const DeviceArray qkv(in.qkv, c.dtype), own_queries(queries, c.dtype), dtiles(tiles),
      count(std::vector<int32_t>{static_cast<int32_t>(tiles.size())}), keys(in.keys, c.dtype),
      content_bias(in.content_bias, Dtype::kFp32), position_bias(in.position_bias, Dtype::kFp32),
      segment_bias(in.segment_bias, Dtype::kFp32), same(in.segments[0], Dtype::kFp32),
      other(in.segments[1], Dtype::kFp32), types(in.types), out(std::vector<float>(queries.size(), NAN), c.dtype);
  const size_t row = static_cast<size_t>(width) * BytesOf(c.dtype);
  AttentionArguments arguments = {.q = last_only ? own_queries.get() : qkv.get(),
                                  .k = static_cast<const char*>(qkv.get()) + row,
                                  .v = static_cast<const char*>(qkv.get()) + 2 * row,
                                  .out = out,
                                  .q_stride = last_only ? width : 3 * width,
                                  .kv_stride = 3 * width,
                                  .out_stride = width,
                                  .heads = c.heads,
                                  .head_size = c.head_size,
                                  .scale = static_cast<float>(1 / std::sqrt(c.head_size)),
                                  .tiles = dtiles.tiles(),
                                  .tile_count = count.ints()};
  if (c.relative) {
    arguments.relative = {.keys = keys,
                          .max_length = c.max_length,
                          .content_bias = content_bias.fp32(),
                          .position_bias = position_bias.fp32(),
                          .segment_bias = segment_bias.fp32(),
                          .segments = {same.fp32(), other.fp32()},
                          .type_ids = types.ints()};
  }
  REQUIRE(kernel(nullptr, c.dtype, arguments, blocks) == cudaSuccess);
  // Weights are rounded to 16 bits before they meet the values, and so, where they are added, are q and its biases.
  const bool tensor_cores = kernel == Attention && c.dtype != Dtype::kFp32;
  const double rounding = Epsilon(c.dtype);
  CheckClose(out.Values(), expected, rounding, tensor_cores ? rounding * (c.relative ? 2.5 : 0.5) : 4e-6);
}

const std::vector<int> kLengths = {1, 64, 65, 16, 130, 17, 3};

TEST_CASE("Tensor-core attention answers every query of sequences of any length") {
  for (const Dtype dtype : {Dtype::kFp16, Dtype::kBf16}) {
    for (const int head_size : {32, 64, 128}) {
      Check({.dtype = dtype, .heads = 2, .head_size = head_size, .lengths = kLengths}, Attention, false, 3);
    }
  }
}

TEST_CASE("Tensor-core attention of single queries, and with more blocks than tiles or fewer") {
  for (const int blocks : {1, 7, 40}) {
    Check({.dtype = Dtype::kFp16, .heads = 1, .head_size = 64, .lengths = kLengths}, Attention, true, blocks);
  }
  Check({.dtype = Dtype::kFp16, .heads = 1, .head_size = 32, .lengths = {70}}, Attention, false, 9);
}

TEST_CASE("Relative attention on tensor cores: content, position and segments") {
  for (const Dtype dtype : {Dtype::kFp16, Dtype::kBf16}) {
    for (const int head_size : {32, 64, 128}) {
      const Case c = {.dtype = dtype,
                      .heads = 2,
                      .head_size = head_size,
                      .lengths = {1, 65, 33, 7},
                      .relative = true,
                      .max_length = 65};
      Check(c, Attention, false, 3);
      Check(c, Attention, true, 2);
    }
  }
}

TEST_CASE("Attention of any size: odd heads, every type, plain and relative") {
  for (const Dtype dtype : kDtypes) {
    for (const int head_size : {1, 24, 64, 80, kMaxHeadSize}) {
      for (const bool relative : {false, true}) {
        Check({.dtype = dtype,
               .heads = 2,
               .head_size = head_size,
               .lengths = {5, 1, 12},
               .relative = relative,
               .max_length = 16},
              AttentionOfAnySize, false, 2);
      }
    }
  }
}

TEST_CASE("Scores far apart do not overflow the softmax") {
  for (const Kernel kernel : {&Attention, &AttentionOfAnySize}) {
    const Case c = {.dtype = Dtype::kBf16, .heads = 1, .head_size = 32, .lengths = {100}, .size = 60};
    CAPTURE(kernel == Attention);
    const Inputs in(c);
    const DeviceArray qkv(in.qkv, c.dtype), tiles(AllTiles(c)), count(std::vector<int32_t>{2}),
        out(std::vector<float>(100 * 32, NAN), c.dtype);
    const AttentionArguments arguments = {.q = qkv,
                                          .k = static_cast<const char*>(qkv.get()) + 64,
                                          .v = static_cast<const char*>(qkv.get()) + 128,
                                          .out = out,
                                          .q_stride = 96,
                                          .kv_stride = 96,
                                          .out_stride = 32,
                                          .heads = 1,
                                          .head_size = 32,
                                          .tiles = tiles.tiles(),
                                          .tile_count = count.ints()};
    REQUIRE(kernel(nullptr, c.dtype, arguments, 2) == cudaSuccess);
    for (const float x : out.Values()) REQUIRE(std::fabs(x) <= 61);  // a mean of the values
  }
}

TEST_CASE("A head that is too large is refused") {
  const AttentionArguments arguments = {.heads = 1, .head_size = kMaxHeadSize + 1};
  CHECK(Attention(nullptr, Dtype::kBf16, arguments, 1) == cudaErrorInvalidValue);
}

#ifndef BERTHA_CUDA_EMULATED
TEST_CASE("Long sequences, many heads") {
  for (const Dtype dtype : kDtypes) {
    for (const bool relative : {false, true}) {
      Check({.dtype = dtype,
             .heads = 12,
             .head_size = 64,
             .lengths = {512, 100, 511, 1, 257},
             .relative = relative,
             .max_length = 512},
            Attention, false, 30);
    }
  }
}
#endif

}  // namespace
}  // namespace bertha::cuda
