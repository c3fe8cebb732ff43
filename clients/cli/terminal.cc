#include "clients/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "clients/cli/exit_code.h"

namespace bertha::cli {

size_t TerminalWidth() {
  winsize size{};
  if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 120;
  return size.ws_col;
}

bool UseColor() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool refused = no_color != nullptr && *no_color != '\0';
  const bool dumb = terminal == nullptr || std::strcmp(terminal, "dumb") == 0;
  return !refused && !dumb && isatty(STDOUT_FILENO);
}

void WriteOut(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      ExitNow(kExitOk);
    } else if (errno != EINTR) {
      PrintError(absl::StrCat("cannot write standard output: ", std::strerror(errno)));
      ExitNow(kExitFailed);
    }
  }
}

void PrintError(absl::string_view message) {
  const std::string line = absl::StrCat("bertha: ", message, "\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void ExitNow(int code) { std::_Exit(code); }

}  // namespace bertha::cli
