// Start and end logits into answers. Pure: no tensors, no wire.
//
// As `transformers` QuestionAnsweringPipeline finds them: probabilities over the tokens of the context, no answer as the
// first token of the sequence, answers aligned to words, windows with a stride over long contexts.
// Thread-safety: free functions without state.
#ifndef BERTHA_MODELS_TASKS_QUESTION_ANSWERING_H_
#define BERTHA_MODELS_TASKS_QUESTION_ANSWERING_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

struct AnswerOptions {
  /// The best so many, no two with the same text.
  size_t top_k = 1;
  /// Longest answer.
  size_t max_answer_tokens = 15;
  /// "There is no answer" is an answer too, with an empty span.
  bool allow_no_answer = false;
};

struct FoundAnswer {
  float score = 0;
  /// Where it stands in the context, in UTF-8 bytes and in code points; {0, 0} for no answer.
  tokenizer::Span bytes, chars;
  bool no_answer = false;
};

/// A part of the context with what the model said about it: all of it, or one of its windows.
struct AnswerWindow {
  /// Of question and context as a pair; encoded with offsets, char_offsets, word_ids and sequence_ids.
  const tokenizer::Encoding* encoding = nullptr;
  /// [tokens, 2]: start and end, finite.
  std::span<const float> logits;
};

/// Replaces the content of `answers`, best first. `context_sequence`: which text of the pair is the context, 0 or 1. Returns
/// the score of "no answer" (the smallest of the windows'), whether it is allowed or not.
float FindAnswers(absl::string_view context, std::span<const AnswerWindow> windows, int32_t context_sequence,
                  const AnswerOptions& options, std::vector<FoundAnswer>& answers);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_QUESTION_ANSWERING_H_
