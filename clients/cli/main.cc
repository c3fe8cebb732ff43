// bertha: the command-line client of berthad.
#include <csignal>
#include <variant>

#include "absl/strings/string_view.h"
#include "clients/cli/options.h"
#include "clients/cli/package_command.h"

namespace bertha::cli {
namespace {

struct Runner {
  int operator()(int exit_code) const { return exit_code; }
  int operator()(const ClassifyOptions& options) const { return RunClassify(options); }
  int operator()(const TagOptions& options) const { return RunTag(options); }
  int operator()(const AnswerOptions& options) const { return RunAnswer(options); }
  int operator()(const EmbedOptions& options) const { return RunEmbed(options); }
  int operator()(const ModelsOptions& options) const { return RunModels(options); }
  int operator()(const HealthOptions& options) const { return RunHealth(options); }
  int operator()(const TokenizeOptions& options) const { return RunTokenize(options); }
  int operator()(const FeedbackExportOptions& options) const { return RunFeedbackExport(options); }
  int operator()(const FeedbackReportOptions& options) const { return RunFeedbackReport(options); }
  int operator()(const LoadOptions& options) const { return RunLoad(options); }
  int operator()(const EvalOptions& options) const { return RunEval(options); }
  int operator()(const LoadReportOptions& options) const { return RunLoadReport(options); }
};

int Main(int argc, char** argv) {
  // `package` parses its own arguments, --help included.
  if (argc > 1 && absl::string_view(argv[1]) == "package") return RunPackage(argv + 2);
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error of write(), which ends the run quietly
  return std::visit(Runner(), ParseCommandLine(argc, argv));
}

}  // namespace
}  // namespace bertha::cli

int main(int argc, char** argv) { return bertha::cli::Main(argc, argv); }
