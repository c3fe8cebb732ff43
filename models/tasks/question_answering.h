// Start and end logits into answers. Pure: no tensors, no wire.
//
// As `transformers` QuestionAnsweringPipeline finds them with a fast tokenizer: probabilities over the tokens of the
// context, no answer as the first token of the sequence, answers aligned to words, windows with a stride over long
// contexts. The score of an answer is the product of the probabilities that it starts and ends there; of answers with
// the same text, but for case, the sum.
// Thread-safety: free functions without state.
// Source: Hugging Face `transformers` 4.57, pipelines/question_answering.py, followed also where it surprises:
// - It masks no tokens if the context comes first (XLNet): question and special tokens take part in the probabilities,
//   and answers may begin or end there. In any order they may at a classifier token that the question spells out.
// - Such an answer is where the context has the word of the same number; if it has none, or at a special token, at the
//   place of the token in its own text. Spans never leave the context here.
// - XLNet's first token of the context is what stands for "no answer", and so in no answer.
// Not followed where it
// - fills up a list of answers with such of score 0; which ones depends on the processor: they are left out;
// - has an answer end before it begins (XLNet's <cls>): text empty in both, but end = begin here;
// - takes every padding token that the text spells out for padding on the left, and moves the answers.
#ifndef BERTHA_MODELS_TASKS_QUESTION_ANSWERING_H_
#define BERTHA_MODELS_TASKS_QUESTION_ANSWERING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "tokenizer/tokenizer.h"

namespace bertha::models {

struct AnswerOptions {
  /// The best so many, no two with the same text. 0: none.
  size_t top_k = 1;
  /// Longest answer, in tokens, before it is aligned to words.
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
///
/// The pipeline's windows, in its order, are the Encoding and then the EncodingList of EncodeWithOverflow with question
/// and context as a pair, max_length the smaller of the model's and 384, stride the smaller of max_length / 2 and 128,
/// and kOnlySecond. For a tokenizer that pads on the left (XLNet): context and question, and kOnlyFirst.
/// INVALID_ARGUMENT from it means that the question is too long for that.
struct AnswerWindow {
  /// Not padded; encoded with offsets, char_offsets, word_ids and sequence_ids.
  const tokenizer::Encoding* encoding = nullptr;
  /// [tokens, 2]: start and end, finite.
  std::span<const float> logits;
};

/// How the model reads a question and its context.
struct AnswerInput {
  /// Which text of the pair is the context, 0 or 1.
  int32_t context_sequence = 1;
  /// The token that stands for the whole input: Tokenizer::cls_id. It takes part in the probabilities, wherever it is.
  std::optional<int32_t> cls_id;
};

/// Replaces the content of `answers`, best first. `windows`: at least one, of at least one token. Returns the score of
/// "no answer" (the smallest of the windows'), whether it is allowed or not.
float FindAnswers(absl::string_view context, std::span<const AnswerWindow> windows, const AnswerInput& input,
                  const AnswerOptions& options, std::vector<FoundAnswer>& answers);

}  // namespace bertha::models

#endif  // BERTHA_MODELS_TASKS_QUESTION_ANSWERING_H_
