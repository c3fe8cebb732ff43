// The command line of `bertha`: arguments in, the options of one command out. All help texts live with it.
#ifndef BERTHA_CLIENTS_CLI_OPTIONS_H_
#define BERTHA_CLIENTS_CLI_OPTIONS_H_

#include <string>
#include <variant>
#include <vector>

#include "clients/cli/answer_command.h"
#include "clients/cli/classify_command.h"
#include "clients/cli/embed_command.h"
#include "clients/cli/eval_command.h"
#include "clients/cli/feedback_command.h"
#include "clients/cli/health_command.h"
#include "clients/cli/load_command.h"
#include "clients/cli/load_report_command.h"
#include "clients/cli/models_command.h"
#include "clients/cli/tag_command.h"
#include "clients/cli/tokenize_command.h"

namespace CLI {
class App;
}

namespace bertha::cli {

/// What to run, or the exit code of a command line that ends by itself (help, version, a mistake: then already
/// printed).
using Command = std::variant<int, ClassifyOptions, TagOptions, AnswerOptions, EmbedOptions, ModelsOptions,
                             HealthOptions, TokenizeOptions, FeedbackExportOptions, FeedbackReportOptions, LoadOptions,
                             EvalOptions, LoadReportOptions>;

Command ParseCommandLine(int argc, char** argv);

/// Add a command to `top`, which fills the options when the arguments are parsed. They must outlive `top`.
void AddClassify(CLI::App& top, ClassifyOptions& options);
void AddTag(CLI::App& top, TagOptions& options);
void AddAnswer(CLI::App& top, AnswerOptions& options);
void AddEmbed(CLI::App& top, EmbedOptions& options);
void AddTokenize(CLI::App& top, TokenizeOptions& options);
void AddFeedback(CLI::App& top, FeedbackExportOptions& exported, FeedbackReportOptions& report);
/// `arguments`: the whole command line, for reports.
void AddLoad(CLI::App& top, LoadOptions& options, const std::vector<std::string>& arguments);
void AddEval(CLI::App& top, EvalOptions& options, const std::vector<std::string>& arguments);
void AddLoadReport(CLI::App& top, LoadReportOptions& options);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_OPTIONS_H_
