// The logits of given token ids, so that anyone can compare an engine with Python.
#ifndef BERTHA_BENCH_ENCODER_LOGITS_H_
#define BERTHA_BENCH_ENCODER_LOGITS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bench/encoder/engines.h"
#include "bench/encoder/report.h"

namespace bertha::bench {

struct Sequence {
  std::vector<int32_t> ids, type_ids;
};

/// {"ids": [...], "type_ids": [...]}; type ids are all 0 if there are none. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<Sequence> ParseSequence(absl::string_view line);

/// The rows of each sequence: one, or one for each token. The errors of a pass; INVALID_ARGUMENT for a sequence longer
/// than the model takes; DATA_LOSS for numbers that are not finite. All sequences share one batch.
absl::StatusOr<std::vector<Json>> Logits(const Engine& engine, const std::vector<Sequence>& sequences);

/// Answers every line of `in` that is not blank, in order, up to `batch` of them in one forward pass: by every engine
/// one line on `write`, {"line", "engine", "logits"} or {"line", "engine", "error"}, or text if not `json`. A batch
/// that fails is tried again one by one, so that a bad line does not spoil its neighbours.
void AnswerLines(const std::vector<Engine>& engines, std::istream& in, size_t batch, bool json,
                 const std::function<void(const std::string&)>& write);

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_LOGITS_H_
