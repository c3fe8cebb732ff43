// What goes in and what comes out of `bertha classify`, free of gRPC: plain values that the reader makes, the caller
// answers and the writers print.
#ifndef BERTHA_CLIENTS_CLI_ANSWER_H_
#define BERTHA_CLIENTS_CLI_ANSWER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bertha::cli {

struct Input {
  /// Position among all inputs of the run, from 0. Empty and refused inputs count.
  uint64_t index = 0;
  std::string text;
  std::optional<std::string> pair;
  /// Not OK: the input is known to be bad (e.g. not UTF-8) and is never sent.
  absl::Status problem;
};

/// Inputs that travel in one call.
struct Chunk {
  std::vector<Input> inputs;
  /// Bytes of the source consumed up to the end of this chunk.
  uint64_t end_bytes = 0;
};

struct LabelScore {
  std::string label;
  float score = 0;
};

/// Microseconds, as the server measured them.
struct Timing {
  uint32_t tokenize_us = 0;
  uint32_t queue_us = 0;
  uint32_t compute_us = 0;
  uint32_t total_us = 0;
};

struct Model {
  std::string name;
  int64_t version = 0;
  std::string engine;
  std::string device;
  std::string dtype;
};

struct Answer {
  /// Best first; empty if the threshold left none.
  std::vector<LabelScore> scores;
  /// In the model's label order; empty unless asked for.
  std::vector<float> logits;
  uint32_t tokens = 0;
  bool truncated = false;
  Timing timing;
  uint32_t batch_size = 0;
  /// Never null; shared by the answers of one call.
  std::shared_ptr<const Model> model;
};

/// One input with its end: an answer, or why there is none.
struct Row {
  Input input;
  absl::StatusOr<Answer> answer;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ANSWER_H_
