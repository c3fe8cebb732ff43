// The check that every GemmKernel must pass, and the rows that kernels are tested on.
#ifndef BERTHA_TESTS_MODELS_TILE_CHECK_H_
#define BERTHA_TESTS_MODELS_TILE_CHECK_H_

#include <cstddef>
#include <vector>

#include "models/kernels/cpu/gemm_kernel.h"

namespace bertha::models {

/// Normally distributed numbers, the same for the same seed.
std::vector<float> Random(size_t size, float deviation, unsigned seed);

/// A row with the padding that the kernels expect.
std::vector<float> Row(std::vector<float> values);

/// Tiles of every number of rows and several depths, beside sums of products: exact for integers.
void CheckTiles(const GemmKernel& kernel);

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_TILE_CHECK_H_
