#include "bench/encoder/operations.h"

#include <vector>

#include "tests/catch.h"

namespace bertha::bench {
namespace {

/// Small enough to count by hand: 3 wide, attention of 2 heads of 2, 5 in between.
constexpr Architecture kSmall = {.layers = 1, .hidden = 3, .attention = 4, .intermediate = 5};

TEST_CASE("operations of one layer are those counted by hand", "[operations]") {
  // For each of 2 tokens: query, key, value and output 4 * 3 * 4, up and down 2 * 3 * 5, scores and values 2 * 2 * 4.
  const std::vector<int32_t> lengths = {2};
  CHECK(Operations(kSmall, lengths) == 2 * 2 * (48 + 30 + 16));
}

TEST_CASE("the last layer is counted for the head's rows alone", "[operations]") {
  Architecture architecture = kSmall;
  architecture.row_per_sequence = true;
  architecture.head_operations = 100;
  const std::vector<int32_t> lengths = {2};
  // Keys and values of 2 tokens, all else of one: 2 * 2 * 3 * 4, then 2 * 3 * 4, 2 * 3 * 5 and 2 * 2 * 4.
  CHECK(Operations(architecture, lengths) == 2 * (48 + 24 + 30 + 16) + 100);
  architecture.layers = 3;
  CHECK(Operations(architecture, lengths) == 2 * 2 * 2 * (48 + 30 + 16) + 2 * (48 + 24 + 30 + 16) + 100);
}

TEST_CASE("every token has a head's row if the task wants that", "[operations]") {
  Architecture architecture = kSmall;
  architecture.head_operations = 100;
  const std::vector<int32_t> lengths = {2, 1};
  CHECK(Operations(architecture, lengths) == 2 * 2 * (48 + 30 + 16) + 2 * (48 + 30 + 8) + 300);
}

TEST_CASE("padding costs nothing: sequences are counted one by one", "[operations]") {
  const std::vector<int32_t> together = {7, 2}, first = {7}, second = {2};
  CHECK(Operations(kSmall, together) == Operations(kSmall, first) + Operations(kSmall, second));
}

TEST_CASE("distances, segments and factorised embeddings are counted", "[operations]") {
  const std::vector<int32_t> lengths = {2};
  Architecture relative = kSmall;
  relative.relative = true;
  // One more product for each pair of tokens, two for each token: 2 * 2 * 4 and 2 * 2 * 4.
  CHECK(Operations(relative, lengths) - Operations(kSmall, lengths) == 2 * (16 + 16));
  Architecture factorised = kSmall;
  factorised.embedding_width = 2;
  CHECK(Operations(factorised, lengths) - Operations(kSmall, lengths) == 2 * 2 * 2 * 3);
}

TEST_CASE("an architecture is read from the weights' shapes", "[operations]") {
  const float number = 0;
  const auto matrix = [&](size_t rows, size_t columns) {
    return models::MatrixView{.data = &number, .rows = rows, .columns = columns};
  };
  models::EncoderWeights weights = {.hidden = 3, .heads = 2, .head_size = 2, .intermediate = 5};
  weights.layers.resize(1);
  weights.order = {0, 0, 0};  // one layer's weights, used three times
  weights.embedding.projection.weight = matrix(3, 2);
  weights.head = {.rows = models::HeadRows::kLast, .steps = {{{matrix(3, 3)}}, {{matrix(7, 3)}}}};

  const Architecture architecture = ArchitectureOf(weights);
  CHECK(architecture.layers == 3);
  CHECK(architecture.hidden == 3);
  CHECK(architecture.attention == 4);
  CHECK(architecture.intermediate == 5);
  CHECK(architecture.embedding_width == 2);
  CHECK_FALSE(architecture.relative);
  CHECK(architecture.row_per_sequence);
  CHECK(architecture.head_operations == 2 * (9 + 21));

  weights.layers[0].relative.emplace();
  weights.head = {.rows = models::HeadRows::kAll};
  CHECK(ArchitectureOf(weights).relative);
  CHECK_FALSE(ArchitectureOf(weights).row_per_sequence);
}

}  // namespace
}  // namespace bertha::bench
