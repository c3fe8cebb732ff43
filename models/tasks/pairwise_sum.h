// Sums of float32 numbers in the order in which numpy adds those of an array.
//
// The pipelines of `transformers` compare scores that numpy has computed. Confident models give many scores within one
// rounding error of 1; which of them are equal, and so which token comes first, depends on the order of the additions.
// Source: numpy, pairwise summation (8 running sums, blocks of up to 128).
// Thread-safety: a free function without state.
#ifndef BERTHA_MODELS_TASKS_PAIRWISE_SUM_H_
#define BERTHA_MODELS_TASKS_PAIRWISE_SUM_H_

#include <span>

namespace bertha::models {

float PairwiseSum(std::span<const float> numbers);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_PAIRWISE_SUM_H_
