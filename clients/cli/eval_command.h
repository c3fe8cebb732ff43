// `bertha eval`: labelled texts through the server's classifiers, and how right, fast and large each is.
#ifndef BERTHA_CLIENTS_CLI_EVAL_COMMAND_H_
#define BERTHA_CLIENTS_CLI_EVAL_COMMAND_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/model_choice.h"
#include "clients/cli/run_texts.h"

namespace bertha::cli {

struct EvalOptions {
  /// Of it the server, how texts travel and what becomes of long ones.
  RunOptions run;
  std::string file;
  std::string text_column = "text";
  std::string label_column = "label";
  /// Label of the file -> label of the models.
  std::map<std::string, std::string> label_map;
  /// Empty: every classifier that serves and has a label of the file.
  std::vector<ModelChoice> models;
  bool json = false;
  std::optional<std::string> markdown, html;
  /// The whole command line, for the report.
  std::vector<std::string> command;
};

/// Returns the exit code.
int RunEval(const EvalOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_EVAL_COMMAND_H_
