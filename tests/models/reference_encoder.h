// The formula of models/families/encoder_weights.h, written down once more as loops over doubles: what engines are
// compared with. Slow; correct to about the last digit of an fp32 number.
#ifndef BERTHA_TESTS_MODELS_REFERENCE_ENCODER_H_
#define BERTHA_TESTS_MODELS_REFERENCE_ENCODER_H_

#include "batcher/encoder.h"
#include "models/families/encoder_weights.h"

namespace bertha::models {

/// Output rows of a batch: one for each sequence, or for each token if the head reads all rows.
batcher::EncoderOutput ReferenceOutputs(const EncoderWeights& weights, const batcher::PackedBatch& batch);

}  // namespace bertha::models

#endif  // BERTHA_TESTS_MODELS_REFERENCE_ENCODER_H_
