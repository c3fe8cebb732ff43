// The command line of `bertha`: arguments in, the options of one command out. All help texts live here.
#ifndef BERTHA_CLIENTS_CLI_OPTIONS_H_
#define BERTHA_CLIENTS_CLI_OPTIONS_H_

#include <variant>

#include "clients/cli/classify_command.h"
#include "clients/cli/health_command.h"
#include "clients/cli/models_command.h"
#include "clients/cli/tokenize_command.h"

namespace bertha::cli {

/// What to run, or the exit code of a command line that ends by itself (help, version, a mistake: then already
/// printed).
using Command = std::variant<int, ClassifyOptions, ModelsOptions, HealthOptions, TokenizeOptions>;

Command ParseCommandLine(int argc, char** argv);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_OPTIONS_H_
