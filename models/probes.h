// probes.json: the exporter's golden answers.
#ifndef BERTHA_MODELS_PROBES_H_
#define BERTHA_MODELS_PROBES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "models/manifest.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

/// Largest |logit difference| that fp32 may show against the exporter.
inline constexpr float kFp32Tolerance = 1e-4f;

inline constexpr char kProbesFile[] = "probes.json";

struct ProbeText {
  std::string text;
  std::optional<std::string> text_pair;
};

struct Probe : ProbeText {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  /// The model's outputs in fp32 for this text alone: a row of Manifest::output_width() numbers, or one for each token.
  std::vector<float> logits;
};

/// INVALID_ARGUMENT naming the JSON path; also if a probe does not fit the manifest.
absl::StatusOr<std::vector<Probe>> ParseProbes(const std::string& text, const Manifest& manifest);

/// Every probe's text must get exactly its ids. FAILED_PRECONDITION names the first that does not.
absl::Status CheckTokenizer(const tokenizer::Tokenizer& tokenizer, const Manifest& manifest,
                            const std::vector<Probe>& probes);

/// Runs those of `which` as one batch. The shape of `output` is left to check.
absl::Status RunProbes(batcher::Encoder& encoder, const std::vector<Probe>& probes, std::span<const size_t> which,
                       batcher::EncoderOutput& output);

/// What an exporter does, in three steps, for packages made by hand. Ids of `texts`, truncated on the right.
/// INVALID_ARGUMENT for no texts or too many, and naming the first that the model does not take.
absl::StatusOr<std::vector<Probe>> EncodeProbes(const tokenizer::Tokenizer& tokenizer, const Manifest& manifest,
                                                const std::vector<ProbeText>& texts);
/// Fills in the logits, each probe alone. The encoder's errors; FAILED_PRECONDITION if a number is not finite.
absl::Status AnswerProbes(batcher::Encoder& encoder, std::vector<Probe>& probes);
/// As ParseProbes reads it, to the last bit.
std::string ProbesToJson(const std::vector<Probe>& probes);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_PROBES_H_
