// What `bertha answer` prints. Pure; rows must have FoundAnswers, and in their input the context as the pair.
#ifndef BERTHA_CLIENTS_CLI_ANSWERS_OUTPUT_H_
#define BERTHA_CLIENTS_CLI_ANSWERS_OUTPUT_H_

#include <memory>

#include "clients/cli/output.h"

namespace bertha::cli {

/// Each question, and then a line for each answer: its score, and the answer, marked, in a little of the context around
/// it. `with_no_answer`: a last line says how probable it is that there is none.
std::unique_ptr<RowWriter> MakeAnswersView(TableStyle style, bool single, bool with_no_answer);

/// Members: answer and score (of the best one; answer is null if there is none in the context, score too if nothing was
/// found at all), answers (a list of {text, score, bytes: [begin, end], chars: [begin, end], no_answer}),
/// no_answer_score.
std::unique_ptr<RowWriter> MakeAnswersJson();

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ANSWERS_OUTPUT_H_
