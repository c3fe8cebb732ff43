// The check that every GemmKernel must pass.
#ifndef BERTHA_TESTS_MODELS_TILE_CHECK_H_
#define BERTHA_TESTS_MODELS_TILE_CHECK_H_

#include "models/kernels/cpu/gemm_kernel.h"

namespace bertha::models {

/// Tiles of every number of rows and several depths, beside sums of products: exact for integers.
void CheckTiles(const GemmKernel& kernel);

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_TILE_CHECK_H_
