// `bertha package ...`: hands over to the program `bertha-package` beside this one, as git does with its commands.
#ifndef BERTHA_CLIENTS_CLI_PACKAGE_COMMAND_H_
#define BERTHA_CLIENTS_CLI_PACKAGE_COMMAND_H_

namespace bertha::cli {

/// Replaces this process by `bertha-package` with the null-terminated `arguments`. Returns (an exit code) only if that
/// program cannot be started.
int RunPackage(char* const* arguments);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_PACKAGE_COMMAND_H_
