// Pieces of which the command line is made, for the files that add commands to it.
#ifndef BERTHA_CLIENTS_CLI_OPTION_PARTS_H_
#define BERTHA_CLIENTS_CLI_OPTION_PARTS_H_

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/cli/run_texts.h"
#include "clients/cli/server.h"

namespace bertha::cli {

/// Of the commands that ask a server; the end of their help texts.
inline constexpr char kExitCodes[] = R"(
Exit codes:
  0  all inputs answered; serving
  1  some inputs failed, or the server is not serving
  2  wrong usage, or an unreadable file
  3  cannot reach the server)";

/// CLI::Range without its contribution to the help text.
template <typename T>
CLI::Validator InRange(T low, T high) {
  return CLI::Range(low, high).description("");
}

template <typename T>
void AddChoice(CLI::App& app, const std::string& name, T& value, const std::map<std::string, T>& choices,
               const std::string& what, const std::string& shown, const std::string& preset) {
  app.add_option(name, value, what)
      ->transform(CLI::CheckedTransformer(choices).description(""))
      ->type_name(shown)
      ->default_str(preset);
}

/// How to reach the server, and the token.
void AddServer(CLI::App& app, Server& server);
void AddTimeout(CLI::App& app, double& seconds, const std::string& what);

/// Tokens that windows share.
void AddStride(CLI::App& app, RunOptions& run, const std::string& preset);
/// What becomes of texts that are longer than the model takes.
void AddLongTexts(CLI::App& app, RunOptions& run);
void CheckLongTexts(const RunOptions& run);
/// How the texts travel.
void AddCalls(CLI::App& app, RunOptions& run);

/// Refuses "-" among other texts, and a pair that is not UTF-8.
void CheckTexts(const std::vector<std::string>& texts, const std::optional<std::string>& pair);

}  // namespace bertha::cli

#endif  // BERTHA_CLIENTS_CLI_OPTION_PARTS_H_
