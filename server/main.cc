// berthad: sets the process up, and leaves the rest to Daemon.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "server/access.h"
#include "server/command_line.h"
#include "server/component_options.h"
#include "server/daemon.h"
#include "server/log.h"

namespace bertha::server {
namespace {

/// Blocks the signals in this thread and all that it starts, so that one thread can wait for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// Large activations would otherwise be mapped and unmapped by every forward pass, and their pages faulted in again:
/// 15 to 40% of the time of large batches.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

/// Threads that wait for each other in a forward pass must block, not spin: a spinning one keeps the thread that it
/// waits for off the core as soon as anybody else wants to run (5 tokens took 350 ms instead of 2 beside a busy
/// neighbour). OpenMP's runtime reads this when it is loaded, before main(), hence the second start.
void RestartWithPassiveWaiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (length <= 0) return;
  path[length] = '\0';
  execv(path, argv);  // if it fails, serving with spinning threads is better than not serving
}

/// gRPC's own reports: the ones that matter come back as statuses, in words for the user.
void LogGrpc(gpr_log_func_args* args) { spdlog::debug("grpc: {}:{}: {}", args->file, args->line, args->message); }

int Main(int argc, char** argv) {
  absl::StatusOr<ParsedCommandLine> parsed = ParseCommandLine(argc, argv);
  if (!parsed.ok()) {
    std::fprintf(stderr, "berthad: %s\n", std::string(parsed.status().message()).c_str());
    return kUsage;
  }
  if (parsed->print) {
    std::fputs(parsed->print->c_str(), stdout);
    return 0;
  }
  RestartWithPassiveWaiting(argv);
  InitLogging(parsed->config.log_format, parsed->config.log_level);
  gpr_set_log_function(LogGrpc);
  google::protobuf::SetLogHandler(nullptr);  // it would report every undecodable message; the caller is told instead
  KeepFreedMemory();
  const sigset_t signals = BlockStopSignals();  // before any thread exists
  const batcher::SteadyClock clock;
  absl::StatusOr<std::unique_ptr<Access>> access = Access::Open(AccessOptionsOf(parsed->config), clock);
  if (!access.ok()) {
    spdlog::error("{}", std::string(access.status().message()));
    return kNothingServed;
  }
  return Daemon(parsed->config, clock, *std::move(access)).Run(signals);
}

}  // namespace
}  // namespace bertha::server

int main(int argc, char** argv) { return bertha::server::Main(argc, argv); }
