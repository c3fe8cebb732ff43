// Matrix products by oneDNN, as LibTorch has them: what those of the fused engine are compared with.
#ifndef BERTHA_MODELS_ONEDNN_PRODUCTS_H_
#define BERTHA_MODELS_ONEDNN_PRODUCTS_H_

#include <cstddef>
#include <functional>
#include <span>

#include "absl/strings/string_view.h"

namespace bertha::models {

/// Of the weights.
struct ProductSize {
  size_t outputs, inputs;
};

/// Computes one product of `rows` rows for each size, with weights packed beforehand. To be called on the thread that
/// made it, one call at a time. Null: oneDNN does not multiply `dtype` ("fp32", "bf16") here.
std::function<void()> MakeOneDnnProducts(absl::string_view dtype, int threads, size_t rows,
                                         std::span<const ProductSize> sizes);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_ONEDNN_PRODUCTS_H_
