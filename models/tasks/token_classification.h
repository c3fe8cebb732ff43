// Logits of a token classifier into entities. Pure: no tensors, no wire.
//
// The strategies as `transformers` TokenClassificationPipeline names and defines them. Scores are softmax probabilities.
// Thread-safety: free functions without state.
#ifndef BERTHA_MODELS_TASKS_TOKEN_CLASSIFICATION_H_
#define BERTHA_MODELS_TASKS_TOKEN_CLASSIFICATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

/// How tokens become entities: B-X and I-X tokens of one kind X in a row are one entity of it.
enum class Aggregation {
  kNone,     ///< each token by itself, with its whole label
  kSimple,   ///< neighbouring tokens of one kind; the score is the mean of the tokens'
  kFirst,    ///< words first: a word has the label of its first token
  kAverage,  ///< a word has the label with the largest mean score over its tokens
  kMax,      ///< a word has the label of its token with the largest score
};

struct Entity {
  /// kNone: the whole label, e.g. "B-DISH". Else the kind, "DISH".
  absl::string_view label;
  float score = 0;
  /// Where it stands in the text, in UTF-8 bytes and in code points.
  tokenizer::Span bytes, chars;
};

/// A part of the text with what the model said about it: all of a text, or one of its windows.
struct TaggedWindow {
  /// Encoded with special_tokens_mask, offsets and char_offsets.
  const tokenizer::Encoding* encoding = nullptr;
  /// [tokens, labels], finite.
  std::span<const float> logits;
};

/// What the strategies need to know of the model; made once.
class EntityTagger {
 public:
  /// Both outlive this.
  EntityTagger(const std::vector<std::string>& labels, const tokenizer::Tokenizer& tokenizer);

  /// Replaces the content of `entities` by those of `text`, in its order; labels that are exactly "O" are no entities.
  /// Entities of several windows that overlap: the longer one stays, of equal ones that of the better score, as the
  /// pipeline has it for `stride`. Labels are views into the model's.
  void Tag(absl::string_view text, std::span<const TaggedWindow> windows, Aggregation aggregation,
           std::vector<Entity>& entities) const;

 private:
  const std::vector<std::string>& labels_;
  const tokenizer::Tokenizer& tokenizer_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_TOKEN_CLASSIFICATION_H_
