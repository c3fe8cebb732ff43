#include "server/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace bertha::server {
namespace {

/// Fields of /proc/self/stat after the command's name, from `state` on.
std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream rest(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  return {std::istream_iterator<std::string>(rest), {}};
}

double BootTime() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 6, "btime ") == 0) return std::strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

double OpenFiles() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end; it.increment(error)) {
    count += 1;
  }
  return count - 1;  // the one that looks
}

}  // namespace

std::vector<ProcessMetric> ReadProcessMetrics() {
  // Places in the list, which begins with field 3 of proc(5).
  constexpr size_t kUserTime = 11, kSystemTime = 12, kThreads = 17, kStart = 19, kVirtual = 20, kResident = 21;
  std::vector<ProcessMetric> metrics;
  const std::vector<std::string> fields = StatFields();
  if (fields.size() > kResident) {
    const auto field = [&](size_t i) { return std::strtod(fields[i].c_str(), nullptr); };
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    metrics = {
        {"process_cpu_seconds_total", "User and system time.", (field(kUserTime) + field(kSystemTime)) / ticks, true},
        {"process_resident_memory_bytes", "Resident memory.", field(kResident) * page},
        {"process_virtual_memory_bytes", "Virtual memory.", field(kVirtual)},
        {"process_start_time_seconds", "When the process began, since the epoch.", BootTime() + field(kStart) / ticks},
        {"process_threads", "Threads.", field(kThreads)}};
  }
  metrics.push_back({"process_open_fds", "Open file descriptors.", OpenFiles()});
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    metrics.push_back({"process_max_fds", "Most open file descriptors.", static_cast<double>(limit.rlim_cur)});
  }
  return metrics;
}

}  // namespace bertha::server
