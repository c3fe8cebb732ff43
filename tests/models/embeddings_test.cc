#include "models/tasks/embeddings.h"

#include <cmath>
#include <random>

#include "tests/catch.h"

namespace bertha::models {
namespace {

using Numbers = std::vector<float>;

Numbers Pooled(const std::vector<Numbers>& windows, size_t dimension, Pooling pooling, bool normalize = false) {
  const std::vector<TokenVectors> views(windows.begin(), windows.end());
  Numbers vector = {9, 9, 9, 9, 9, 9, 9};  // what an earlier text left behind
  Pool(views, dimension, pooling, normalize, vector);
  CHECK(vector.size() == PooledSize(pooling, dimension));
  return vector;
}

TEST_CASE("EachPoolingGivesTheVectorComputedByHand") {
  const Numbers one = {1, -2, 3, 4, 5, -12};        // 3 tokens of 2 numbers
  const std::vector<Numbers> two = {one, {9, -8}};  // and 1 token
  CHECK(Pooled({one}, 2, Pooling::kMean) == Numbers{3, -10.0f / 3});
  CHECK(Pooled({one}, 2, Pooling::kCls) == Numbers{1, -2});
  CHECK(Pooled({one}, 2, Pooling::kMax) == Numbers{5, 4});
  CHECK(Pooled({one}, 2, Pooling::kClsMean) == Numbers{1, -2, 3, -10.0f / 3});
  CHECK(Pooled({one}, 2, Pooling::kLast) == Numbers{5, -12});
  // Windows weigh as much as they have tokens: (3 * first + second) / 4.
  CHECK(Pooled(two, 2, Pooling::kMean) == Numbers{4.5, -4.5});
  CHECK(Pooled(two, 2, Pooling::kCls) == Numbers{3, -3.5});
  CHECK(Pooled(two, 2, Pooling::kMax) == Numbers{9, 4});
  CHECK(Pooled(two, 2, Pooling::kClsMean) == Numbers{3, -3.5, 4.5, -4.5});
  CHECK(Pooled(two, 2, Pooling::kLast) == Numbers{6, -11});
}

TEST_CASE("TheLargestOfNegativeNumbersIsNegative") {
  CHECK(Pooled({{-3, -4, -2, -5}}, 2, Pooling::kMax) == Numbers{-2, -4});
}

TEST_CASE("NormalizedVectorsHaveLengthOne") {
  CHECK(Pooled({{3, 4}}, 2, Pooling::kCls, true) == Numbers{0.6f, 0.8f});
  CHECK(Pooled({{3e38f, 3e38f}}, 2, Pooling::kMean, true)[0] == Approx(std::sqrt(0.5)));
  CHECK(Pooled({{0, 3, 0, 0}}, 2, Pooling::kClsMean, true) == Numbers{0, 2 / std::sqrt(5.0f), 0, 1 / std::sqrt(5.0f)});
}

TEST_CASE("AVectorOfZerosStaysOne") { CHECK(Pooled({{0, 0, 0}}, 3, Pooling::kMean, true) == Numbers{0, 0, 0}); }

TEST_CASE("MeansOfManyTokensAndDimensionsAreThoseOfDoublePrecision") {
  std::mt19937 random(1);
  std::normal_distribution<float> number(3, 10);
  for (const size_t dimension : {1, 63, 64, 65, 384}) {
    std::vector<Numbers> windows(3);
    std::vector<double> sums(dimension);
    size_t tokens = 0;
    for (Numbers& window : windows) {
      window.resize((1 + random() % 500) * dimension);
      tokens += window.size() / dimension;
      for (size_t i = 0; i < window.size(); ++i) sums[i % dimension] += window[i] = number(random);
    }
    CAPTURE(dimension, tokens);
    const Numbers mean = Pooled(windows, dimension, Pooling::kMean);
    for (size_t i = 0; i < dimension; ++i) {
      REQUIRE(mean[i] == Approx(sums[i] / static_cast<double>(tokens)).epsilon(1e-6));
    }
  }
}

}  // namespace
}  // namespace bertha::models
