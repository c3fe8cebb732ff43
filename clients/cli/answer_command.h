// `bertha answer`: questions and contexts in, the parts of the contexts that answer them out.
#ifndef BERTHA_CLIENTS_CLI_ANSWER_COMMAND_H_
#define BERTHA_CLIENTS_CLI_ANSWER_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>

#include "clients/cli/run_texts.h"

namespace bertha::cli {

struct AnswerOptions {
  /// Its texts are the questions. Without any, the lines of its file are JSON objects with question and context.
  RunOptions run;
  /// Of all questions: the context itself, or the file that holds it ("-": standard input).
  std::optional<std::string> context;
  std::optional<std::string> context_file;
  uint32_t top_k = 1;
  /// 0: the server's default.
  uint32_t max_answer_tokens = 0;
  bool allow_no_answer = false;
  bool json = false;
};

/// Returns the exit code.
int RunAnswer(const AnswerOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_ANSWER_COMMAND_H_
