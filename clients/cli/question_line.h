// A line of questions with contexts: {"question": "...", "context": "..."}. Pure.
#ifndef BERTHA_CLIENTS_CLI_QUESTION_LINE_H_
#define BERTHA_CLIENTS_CLI_QUESTION_LINE_H_

#include "absl/status/status.h"
#include "clients/cli/row.h"

namespace bertha::cli {

/// Puts the question of the JSON object in `input.text` there, and its context into `input.pair`. Other keys may be
/// there too and are ignored. Errors: INVALID_ARGUMENT, and the input stays as it is.
absl::Status ParseQuestionLine(Input& input);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_QUESTION_LINE_H_
