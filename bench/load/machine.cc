#include "bench/load/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bertha::load {
namespace {

/// "AMD EPYC 9R14"; on processors whose /proc/cpuinfo has no name, the architecture.
std::string ProcessorName(const utsname& system) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (absl::StartsWith(line, "model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return system.machine;
}

/// Those that this process may use.
size_t Cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN));
  return static_cast<size_t>(CPU_COUNT(&set));
}

}  // namespace

Report::Machine ThisMachine() {
  utsname system{};
  uname(&system);
  const auto bytes = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return {.processor = ProcessorName(system),
          .cores = Cores(),
          .memory_gb = bytes / 1e9,
          .kernel = absl::StrCat(system.sysname, " ", system.release)};
}

}  // namespace bertha::load
