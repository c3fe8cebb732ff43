// What the exit codes of `bertha` mean. They are part of the interface: the help texts list them, scripts depend on
// them.
#ifndef BERTHA_CLIENTS_CLI_EXIT_CODE_H_
#define BERTHA_CLIENTS_CLI_EXIT_CODE_H_

namespace bertha::cli {

enum ExitCode : int {
  kExitOk = 0,
  /// Some inputs failed, the run was stopped by an error, or the server is not serving.
  kExitFailed = 1,
  /// The command line is wrong, or a file that it names cannot be read.
  kExitUsage = 2,
  /// No server answers at the address.
  kExitUnreachable = 3,
};

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_EXIT_CODE_H_
