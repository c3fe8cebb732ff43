// What goes in and what comes out of the commands that send texts to models, free of gRPC: plain values that the reader
// makes, the caller answers and the writers print. Of a Result only its body depends on the task; nobody but the task's
// own command and writers looks into it.
#ifndef BERTHA_CLIENTS_CLI_ROW_H_
#define BERTHA_CLIENTS_CLI_ROW_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bertha::cli {

struct Input {
  /// Position among all inputs of the run, from 0. Empty and refused inputs count.
  uint64_t index = 0;
  /// Of a question its words.
  std::string text;
  /// The second text; of a question its context.
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

/// Of sequence classification.
struct Labels {
  /// Best first; empty if the threshold left none.
  std::vector<LabelScore> scores;
  /// In the model's label order; empty unless asked for.
  std::vector<float> logits;
};

/// Half-open: [begin, end).
struct Range {
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct Entity {
  std::string label;
  float score = 0;
  std::string text;
  /// Where it stands in the input's text, in UTF-8 bytes and in code points.
  Range bytes;
  Range chars;
};

/// Of token classification, in the order of the text.
struct Entities {
  std::vector<Entity> entities;
};

struct FoundAnswer {
  std::string text;
  float score = 0;
  /// Where it stands in the input's pair, the context, in UTF-8 bytes and in code points.
  Range bytes;
  Range chars;
  /// This is "there is no answer".
  bool no_answer = false;
};

/// Of question answering.
struct FoundAnswers {
  /// Best first.
  std::vector<FoundAnswer> answers;
  float no_answer_score = 0;
};

struct TokenVector {
  std::string token;
  /// Where it stands in the input's text; empty for special tokens.
  Range bytes;
  Range chars;
  std::vector<float> vector;
};

/// Of embeddings: one of the two is empty.
struct Vectors {
  std::vector<float> vector;
  std::vector<TokenVector> tokens;
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

struct Result {
  std::variant<Labels, Entities, FoundAnswers, Vectors> body;
  uint32_t tokens = 0;
  bool truncated = false;
  /// In how many pieces the text was computed.
  uint32_t windows = 1;
  Timing timing;
  uint32_t batch_size = 0;
  /// Never null; shared by the results of one call.
  std::shared_ptr<const Model> model;
};

/// One input with its end: a result, or why there is none.
struct Row {
  Input input;
  absl::StatusOr<Result> result;
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ROW_H_
