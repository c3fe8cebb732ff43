// Reads chunks, answers several at once, and writes the outcomes in the order in which the chunks were read.
//
// Memory is bounded: at most 4 x `workers` chunks are read and not yet written; then reading waits for the slowest one.
#ifndef BERTHA_CLIENTS_CLI_PIPELINE_H_
#define BERTHA_CLIENTS_CLI_PIPELINE_H_

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/row.h"
#include "clients/cli/send_chunk.h"

namespace bertha::cli {

struct PipelineSteps {
  /// The next chunk; one without inputs ends the run, and so does an error. Called by one thread at a time.
  std::function<absl::StatusOr<Chunk>()> read;
  /// Called by up to `workers` threads at once.
  std::function<Outcome(Chunk)> answer;
  /// Called by the thread that called RunPipeline, in reading order.
  std::function<void(Outcome)> write;
};

/// Returns when all that was read is written: OK, or the error of `read`.
absl::Status RunPipeline(size_t workers, const PipelineSteps& steps);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_PIPELINE_H_
