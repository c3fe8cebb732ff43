#include "clients/cli/models_command.h"

#include "clients/cli/exit_code.h"
#include "clients/cli/list_models.h"
#include "clients/cli/models_output.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {

int RunModels(const ModelsOptions& options) {
  const ListedModels listed = ListModels(options.server, options.timeout_seconds);
  if (listed.exit_code != kExitOk) return listed.exit_code;
  WriteOut(options.json ? ModelsJson(listed.entries) : ModelsTable(listed.entries));
  return kExitOk;
}

}  // namespace bertha::cli
