#include "clients/cli/package_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/exit_code.h"
#include "clients/cli/terminal.h"

namespace bertha::cli {

int RunPackage(char* const* arguments) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  std::string program = (self.parent_path() / "bertha-package").string();
  std::vector<char*> argv = {program.data()};
  for (; *arguments != nullptr; ++arguments) argv.push_back(*arguments);
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  const char* hint = errno == ENOENT ? "; it is built with berthad and installed beside bertha" : "";
  PrintError(absl::StrCat("cannot start ", program, ": ", std::strerror(errno), hint));
  return kExitUsage;
}

}  // namespace bertha::cli
