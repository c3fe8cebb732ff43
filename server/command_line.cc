#include "server/command_line.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config_file.h"
#include "server/config_validation.h"
#include "server/settings.h"

namespace bertha::server {
namespace {

constexpr char kIntro[] =
    "berthad serves text classifiers over gRPC and HTTP: raw text in, label and latency out.\n"
    "Example: berthad --models demo/models\n"
    "Every setting below may also stand in a YAML file (--config FILE); its key is the flag's words, e.g.\n"
    "  queue:\n    max_requests: 4096      # --queue-max-requests 4096";

constexpr char kOutro[] =
    "Signals: SIGTERM or SIGINT drains (what was accepted is finished) and exits 0; a second one exits at once.\n"
    "Exit codes: 0 drained, 1 nothing could be served (port in use, no package loads) or the drain was cut off, 2 "
    "usage or configuration, 3 the CUDA device is lost to the process: start another one.";

/// What stands on the command line, before it is understood.
struct Given {
  struct Flag {
    const CLI::Option* option = nullptr;
    std::string text;
  };
  std::string config_file;
  bool check_only = false;
  /// In the order of Settings().
  std::vector<Flag> flags = std::vector<Flag>(Settings().size());
};

void AddOptions(CLI::App& app, Given& given) {
  const Config defaults;
  app.name("berthad");
  app.footer(kOutro);
  app.set_version_flag("--version", "berthad " BERTHA_VERSION);
  app.add_option("--config", given.config_file, "YAML file of settings; flags win over it")->type_name("FILE");
  app.add_flag("--check-config", given.check_only, "Check flags and file, print the resulting settings, exit");
  for (size_t i = 0; i < given.flags.size(); ++i) {
    const Setting& setting = Settings()[i];
    const std::string names = absl::StrCat(setting.Flag(), *setting.short_flag ? "," : "", setting.short_flag);
    given.flags[i].option = app.add_option(names, given.flags[i].text, setting.help)
                                ->type_name(setting.is_number() ? "N" : "TEXT")
                                ->default_str(setting.Get(defaults));
  }
}

absl::Status ApplyFlags(const Given& given, Config& config) {
  for (size_t i = 0; i < given.flags.size(); ++i) {
    const auto& [option, text] = given.flags[i];
    if (option->count() == 0) continue;
    const Setting& setting = Settings()[i];
    if (absl::Status status = setting.Set(text, config); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(setting.Flag(), ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedCommandLine> ParseCommandLine(int argc, const char* const* argv) {
  CLI::App app(kIntro);
  Given given;
  AddOptions(app, given);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return ParsedCommandLine{.print = app.help()};
  } catch (const CLI::CallForVersion& version) {
    return ParsedCommandLine{.print = absl::StrCat(version.what(), "\n")};
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see berthad --help"));
  }
  ParsedCommandLine parsed;
  if (app.count("--config")) {
    if (absl::Status status = ApplyFile(given.config_file, parsed.config); !status.ok()) return status;
  }
  if (absl::Status status = ApplyFlags(given, parsed.config); !status.ok()) return status;
  if (absl::Status status = Validate(parsed.config); !status.ok()) return status;
  if (given.check_only) {
    parsed.print = absl::StrCat("# The configuration is valid:\n", ToYaml(parsed.config));
  }
  return parsed;
}

}  // namespace bertha::server
