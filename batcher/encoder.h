// The one interface below the batcher: something that turns packed token ids into rows of numbers.
//
// The batcher owns this interface and calls it; models/ implements it. An Encoder is one *replica*: it belongs to one
// worker thread. A batch passes through it in two steps, so that preparing the next batch can overlap running this one:
//
//   Stage(batch, slot)   copies the batch into the engine's own buffers (pads, converts, transfers);
//   Run(slot, output)    the forward pass.
//
// Thread-safety: Stage and Run of *different* slots may run at the same time on two threads; everything else is
// externally synchronised. Describe() never changes.
#ifndef BERTHA_BATCHER_ENCODER_H_
#define BERTHA_BATCHER_ENCODER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace bertha::batcher {

/// What an engine is and what it can take.
struct EncoderDescription {
  /// "torchscript", ...
  std::string engine;
  /// "cpu", ...
  std::string device;
  /// "fp32", ...
  std::string dtype;
  /// Longest sequence it takes, in tokens.
  size_t max_sequence_length = 512;
  /// Numbers per output row, e.g. the number of labels.
  size_t output_width = 0;
  /// True if each token of a sequence has an output row of its own; else each sequence has one.
  bool row_per_token = false;
  /// True if sequences of a batch are padded to the longest: a batch then costs `n * longest` tokens, not their sum.
  bool pads = false;
  /// Bytes of memory for the batch of most tokens that it was made for, which are taken as batches grow. 0: not known.
  size_t batch_bytes = 0;
};

/// A batch without padding: sequences one after the other. Views; valid during the call only.
struct PackedBatch {
  /// [tokens] token ids.
  std::span<const int32_t> ids;
  /// [tokens] segment ids.
  std::span<const int32_t> type_ids;
  /// [n + 1] offsets: sequence i is [cu_seqlens[i], cu_seqlens[i + 1]). cu_seqlens[0] is 0; no sequence is empty.
  std::span<const int32_t> cu_seqlens;

  size_t size() const { return cu_seqlens.empty() ? 0 : cu_seqlens.size() - 1; }
};

/// [rows, width] numbers, row-major; a row for each sequence of the batch, or for each token of it, in order. Reused:
/// keeps its capacity from batch to batch.
struct EncoderOutput {
  size_t rows = 0;
  size_t width = 0;
  std::vector<float> values;

  std::span<const float> row(size_t i) const { return std::span(values).subspan(i * width, width); }
};

/// A step of forward passes, and how long all passes so far have been at it.
struct StepTime {
  const char* step = "";
  std::chrono::nanoseconds time{0};
};

class Encoder {
 public:
  /// Slots that a batch can be staged into: one runs while the other is filled.
  static constexpr int kSlots = 2;

  virtual ~Encoder() = default;

  virtual const EncoderDescription& Describe() const = 0;

  /// Prepares `batch` in `slot` (0 <= slot < kSlots), replacing what was there. The batch's views are not kept.
  virtual absl::Status Stage(const PackedBatch& batch, int slot) = 0;

  /// Runs what was staged in `slot`; `output` gets one row for each sequence or token, as Describe() says. A failure is
  /// that of this batch alone: the encoder stays usable.
  virtual absl::Status Run(int slot, EncoderOutput& output) = 0;

  /// In the order of a pass, for whoever measures; empty if the engine does not tell. Not during Run.
  virtual std::vector<StepTime> StepTimes() const { return {}; }
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_ENCODER_H_
