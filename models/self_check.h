// Whether an engine answers as the model does: its answers to the package's probes beside the exporter's.
//
// Thread-safety: free functions; the encoder is used by the calling thread.
#ifndef BERTHA_MODELS_SELF_CHECK_H_
#define BERTHA_MODELS_SELF_CHECK_H_

#include <cstddef>
#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "batcher/encoder.h"
#include "models/manifest.h"
#include "models/probes.h"

namespace bertha::models {

/// How far answers may be from the exporter's.
struct Tolerance {
  /// Largest |difference| of a number.
  float absolute = 0;
  /// The same as a part of the range that the exporter's numbers have over all probes; the larger of the two counts.
  float of_range = 0;
};

/// That of a numeric type: "fp32", "bf16", "int8". A type that rounds is measured by the range of the model's numbers:
/// 5% of the way from the least to the largest logit for bf16, 10% for int8.
Tolerance ToleranceOf(absl::string_view dtype);

/// What the check found. A decision is what a caller acts on: the best label of a text or a token, yes or no for a
/// label of several, the best token for an answer to begin or end with. Vectors and regressions have none.
struct ProbeReport {
  size_t count = 0;                           ///< probes that were compared
  float max_abs_diff = 0, mean_abs_diff = 0;  ///< of logits
  /// Of probabilities; 0 where the numbers have no such meaning.
  float max_probability_diff = 0, mean_probability_diff = 0;
  size_t decisions = 0;
  /// Decisions that are others than the exporter's. They are close ones: a clear one would have been an error.
  size_t flips = 0;
  /// The tolerance in logits that the check was made with.
  float tolerance = 0;
};

/// How much of the probes a check runs.
struct CheckEffort {
  /// Tokens of those that run alone, the shortest ones.
  size_t alone_tokens = std::numeric_limits<size_t>::max();
  /// Tokens of those that run in batches: all of them if they have no more together, else short ones for half of it
  /// and the longest that fit into the rest; at least one.
  size_t batch_tokens = std::numeric_limits<size_t>::max();
};

/// Runs probes alone, then in batches, and compares. FAILED_PRECONDITION beyond the tolerance, and for a decision that
/// is another one than the exporter's although that had a larger margin.
absl::StatusOr<ProbeReport> CheckEncoder(batcher::Encoder& encoder, const std::vector<Probe>& probes,
                                         const Manifest& manifest, const Tolerance& tolerance,
                                         const CheckEffort& effort = {});

}  // namespace bertha::models

#endif  // BERTHA_MODELS_SELF_CHECK_H_
