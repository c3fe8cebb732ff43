// berthad: reads its configuration, listens, loads the models, serves until SIGTERM or SIGINT, drains.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "batcher/dispatcher.h"
#include "models/cuda_engine.h"
#include "server/access.h"
#include "server/admin_server.h"
#include "server/canary.h"
#include "server/command_line.h"
#include "server/config_validation.h"
#include "server/cores.h"
#include "server/feedback/feedback_store.h"
#include "server/gate.h"
#include "server/grpc_probe.h"
#include "server/grpc_server.h"
#include "server/health_board.h"
#include "server/http_admin.h"
#include "server/http_front.h"
#include "server/inference.h"
#include "server/log.h"
#include "server/memory_limit.h"
#include "server/model_watcher.h"
#include "server/package_scan.h"

namespace bertha::server {
namespace {

constexpr int kNothingServed = 1;
constexpr int kUsage = 2;
constexpr int kDeviceLost = 3;
/// After the loss of the device, which may keep anything from ending.
constexpr std::chrono::milliseconds kLostDevicePatience{4000}, kLostDeviceDrain{3000};
/// Tokenizing pool for long calls: few threads, since the cores belong to the forward passes.
constexpr size_t kPoolThreads = 1;
constexpr size_t kPoolQueue = 64;
/// After drain.timeout_ms the calls that are left are cancelled; this is for them to end, and for a package that is
/// being loaded.
constexpr std::chrono::milliseconds kStuckGrace{3000};
/// For the last replies to reach slow readers.
constexpr std::chrono::milliseconds kHttpGrace{500};

/// Blocks the signals in this thread and all that it starts, so that one thread can wait for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// From the first stop signal on: a second one ends the process at once, and so does a drain that outlives `limit`,
/// e.g. because a forward pass never returns.
void BoundTheDrain(const sigset_t& signals, std::chrono::milliseconds limit, const std::atomic<bool>& device_lost) {
  std::thread([signals, limit, &device_lost] {
    const timespec timeout = {.tv_sec = limit.count() / 1000, .tv_nsec = limit.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &timeout);
    if (device_lost) std::_Exit(kDeviceLost);
    if (signal > 0) {
      spdlog::warn("second signal: exiting at once");
      std::_Exit(128 + signal);
    }
    spdlog::error("the drain does not end, something is stuck: exiting with work unfinished");
    std::_Exit(kNothingServed);
  }).detach();
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

/// What keeps each worker on its first core; its models' threads have the others of its part (EngineOptions::cores).
std::function<void(size_t, size_t)> PinningOf(const Config& config) {
  const std::vector<int> cores = CoreNumbers();
  if (config.cpu_pin != "true" || cores.empty()) return {};
  return [cores](size_t worker, size_t workers) {
    const size_t share = std::max<size_t>(1, cores.size() / workers);
    const int core = cores[worker * share % cores.size()];
    if (!StayOnCore(core)) spdlog::warn("cpu.pin: worker {} cannot stay on core {}", worker, core);
  };
}

batcher::DispatcherOptions DispatcherOptionsOf(const Config& config, std::function<void()> on_health,
                                               std::function<void(const absl::Status&)> on_failed_pass) {
  return {.queue = {.max_requests = static_cast<size_t>(config.queue_max_requests),
                    .max_tokens = static_cast<size_t>(config.queue_max_tokens),
                    .default_deadline = std::chrono::milliseconds(config.queue_default_deadline_ms),
                    .max_queue_delay = std::chrono::milliseconds(config.queue_max_delay_ms),
                    .max_priority_delay = std::chrono::milliseconds(config.queue_max_priority_delay_ms),
                    .overload_target = std::chrono::milliseconds(config.queue_overload_target_ms),
                    .overload_window = std::chrono::milliseconds(config.queue_overload_window_ms),
                    .admission = config.queue_admission == "true",
                    .share_identical = config.queue_share_identical == "true",
                    .workers = static_cast<size_t>(config.cpu_workers)},
          .stuck_after = std::chrono::milliseconds(config.watchdog_stuck_after_ms),
          .on_health = std::move(on_health),
          .on_worker_start = PinningOf(config),
          .on_failed_pass = std::move(on_failed_pass)};
}

Access::Options AccessOptionsOf(const Config& config) {
  const auto per_second = static_cast<double>(config.limits_requests_per_second);
  return {.tokens_file = config.auth_tokens_file,
          .rate = {.per_second = per_second,
                   .burst = config.limits_burst > 0 ? static_cast<double>(config.limits_burst) : per_second}};
}

models::EngineOptions EngineOptionsOf(const Config& config) {
  using models::EngineChoice;
  return {.engine = config.engine == "fused"         ? EngineChoice::kFused
                    : config.engine == "torchscript" ? EngineChoice::kTorchScript
                                                     : EngineChoice::kAuto,
          .dtype = config.dtype,
          .device = config.device,
          .batch_tokens = static_cast<size_t>(config.batch_max_tokens),
          .replicas = static_cast<size_t>(config.cpu_workers),
          .threads = static_cast<int>(config.cpu_threads),
          .max_threads = AvailableCores(),
          .cores = config.cpu_pin == "true" ? CoreNumbers() : std::vector<int>(),
          .quick_check = true};
}

RequestLog RequestLogOf(const Config& config) {
  return config.log_requests == "all"    ? RequestLog::kAll
         : config.log_requests == "none" ? RequestLog::kNone
                                         : RequestLog::kErrors;
}

CallLimits CallLimitsOf(const Config& config) {
  return {.max_inputs = static_cast<size_t>(config.limits_max_inputs_per_call),
          .max_text_bytes = static_cast<size_t>(config.limits_max_text_bytes),
          .max_windows = static_cast<size_t>(config.limits_max_windows_per_input),
          .max_response_bytes = static_cast<size_t>(config.limits_max_message_bytes)};
}

WatcherOptions WatcherOptionsOf(const Config& config, std::function<void()> on_change) {
  return {.directory = config.models_directory,
          .poll = std::chrono::milliseconds(config.models_poll_ms),
          .on_change = std::move(on_change)};
}

std::string CostsDirectory(const Config& config) {
  if (config.costs_directory != "auto") return config.costs_directory;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache) return absl::StrCat(cache, "/bertha");
  if (const char* home = std::getenv("HOME"); home && *home) return absl::StrCat(home, "/.cache/bertha");
  return "";
}

HealthOptions HealthOptionsOf(const Config& config, std::function<void()> on_trouble) {
  return {.max_age = std::chrono::milliseconds(config.health_max_age_ms),
          .max_faults = static_cast<size_t>(config.health_max_faults),
          .canary_interval = std::chrono::milliseconds(config.health_canary_interval_ms),
          .on_trouble = std::move(on_trouble)};
}

/// `on_failure` learns why a package could not be read.
LoaderOptions LoaderOptionsOf(const Config& config, std::function<void(const absl::Status&)> on_failure,
                              std::function<std::shared_ptr<ModelHealth>()> new_health) {
  const auto bytes = static_cast<uint64_t>(config.models_max_memory_mb) * 1'000'000;
  return {.read =
              [engine = EngineOptionsOf(config), on_failure = std::move(on_failure)](const std::string& dir,
                                                                                     size_t replicas) {
                models::EngineOptions options = engine;
                if (replicas > 0) options.replicas = replicas;
                absl::StatusOr<models::Model> model = models::LoadModel(dir, options);
                if (!model.ok()) on_failure(model.status());
                return model;
              },
          .limits = {.max_batch_requests = static_cast<size_t>(config.batch_max_requests),
                     .max_batch_tokens = static_cast<size_t>(config.batch_max_tokens)},
          .weights = *ParseWeights(config.models_weights),
          .costs_directory = CostsDirectory(config),
          .max_bytes = bytes > 0 ? bytes : ContainerMemoryLimit() / 4 * 3,
          .new_health = std::move(new_health)};
}

/// What can be served at start. The watcher reports what is passed over.
absl::StatusOr<ScanResult> FindPackages(const Config& config) {
  absl::StatusOr<ScanResult> scan = ScanPackages(config.models_directory);
  if (!scan.ok()) {
    return absl::NotFoundError(std::string(scan.status().message()) +
                               "; name a directory of packages with --models, e.g. --models demo/models");
  }
  if (config.models_allow_empty == "true") return scan;
  if (std::ranges::none_of(scan->packages, &FoundPackage::sealed)) {
    return absl::NotFoundError(config.models_directory +
                               ": no packages (<name>/<version>/SHA256SUMS) are in it; name a directory of packages "
                               "with --models, e.g. --models demo/models");
  }
  const auto is_default = [&](const FoundPackage& package) { return package.key.name == config.models_default; };
  if (!config.models_default.empty() && std::ranges::none_of(scan->packages, is_default)) {
    return absl::NotFoundError("models.default \"" + config.models_default + "\" is no model of " +
                               config.models_directory);
  }
  return scan;
}

/// The largest first, since the first one that is loaded chooses the number of workers; else in their order.
void PutLargestFirst(std::vector<FoundPackage>& packages) {
  const auto largest = std::ranges::max_element(packages, {}, &FoundPackage::bytes);
  if (largest != packages.end()) std::rotate(packages.begin(), largest, largest + 1);
}

/// Null unless feedback.database is set. Nothing waits for the database: until it is open, votes are refused.
std::unique_ptr<feedback::FeedbackStore> OpenFeedback(const Config& config, const batcher::Clock& clock) {
  if (config.feedback_database.empty()) return nullptr;
  spdlog::info("feedback is kept, with the texts, in {}", feedback::WithoutPassword(config.feedback_database));
  feedback::FeedbackOptions options;
  options.store_client_address = config.feedback_store_client_address == "true";
  options.writer.retention_days = config.feedback_retention_days;
  auto database = feedback::MakeDatabase(config.feedback_database, feedback::Access::kReadWrite);
  return std::make_unique<feedback::FeedbackStore>(std::move(database), std::move(options), clock);
}

/// The parts of a running daemon; members are destroyed in reverse order.
class Daemon {
 public:
  Daemon(const Config& config, const batcher::Clock& clock, std::unique_ptr<Access> access)
      : config_(config),
        clock_(clock),
        table_(config.models_default),
        board_(table_, clock_,
               {.on_change = [this](const HealthSnapshot& health) { Publish(health); }, .log = LogHealth}),
        dispatcher_(DispatcherOptionsOf(
                        config, [this] { board_.SetWorkersStuck(!dispatcher_.healthy()); },
                        [this](const absl::Status& status) { OnFailure(status); }),
                    &clock),
        pool_(kPoolThreads, kPoolQueue),
        feedback_(OpenFeedback(config, clock_)),
        inference_({table_, dispatcher_, pool_, clock_, CallLimitsOf(config), feedback_.get()}),
        access_(std::move(access)),
        gate_(access_.get()),
        observer_(RequestLogOf(config)),
        watcher_(
            WatcherOptionsOf(config, [this] { board_.Refresh(); }), table_, dispatcher_,
            LoaderOptionsOf(
                config, [this](const absl::Status& status) { OnFailure(status); }, [this] { return NewHealth(); })),
        canary_(board_, table_, dispatcher_, clock_) {}

  /// `signals` are those that stop the daemon, blocked in every thread.
  int Run(const sigset_t& signals) {
    absl::StatusOr<ScanResult> scan = FindPackages(config_);
    if (!scan.ok()) return Fail(scan.status());
    size_t found = 0;
    for (const FoundPackage& package : scan->packages) {
      if (!package.sealed()) continue;
      table_.SetLoading(package.key);
      ++found;
    }
    if (absl::Status status = Listen(); !status.ok()) return Fail(status);
    spdlog::info("listening on {} (gRPC){}{}, loading {} packages of {}", config_.grpc_address,
                 http_ ? absl::StrCat(", ", config_.http_address, " (HTTP)") : "",
                 config_.admin_address.empty() ? "" : absl::StrCat(" and ", config_.admin_address, " (ModelControl)"),
                 found, config_.models_directory);
    if (config_.cpu_workers == 0) PutLargestFirst(scan->packages);
    watcher_.Start(*std::move(scan), [this](bool finished) { OnLoaded(finished); });
    canary_.Start();
    int signal = 0;
    sigwait(&signals, &signal);
    const std::chrono::milliseconds lame_duck(in_hurry() || signal != SIGTERM ? 0 : config_.drain_lame_duck_ms);
    BoundTheDrain(signals, lame_duck + std::chrono::milliseconds(config_.drain_timeout_ms) + kStuckGrace, device_lost_);
    board_.SetDraining();
    watcher_.BeginStop();
    if (lame_duck.count() > 0) {
      spdlog::info("{}: health says NOT_SERVING, calls are still answered for {} ms", strsignal(signal),
                   lame_duck.count());
      std::this_thread::sleep_for(lame_duck);  // BoundTheDrain and OnFailure wait for what could cut it short
    }
    canary_.Stop();
    const bool finished = Drain(signal);
    if (feedback_) feedback_->Stop();
    if (finished) CloseListeners();
    watcher_.Stop();
    admin_http_.reset();
    admin_.reset();  // after what it asked of the watcher has been answered
    for (const ModelEntry& entry : table_.List()) {
      if (entry.model) CostCache::Save(dispatcher_.Costs(entry.model->id), entry.model->costs_file);
    }
    if (!nothing_serves_) spdlog::info("stopped");
    spdlog::default_logger()->flush();
    std::_Exit(device_lost_ ? kDeviceLost : finished && !nothing_serves_ ? 0 : kNothingServed);
  }

 private:
  static int Fail(const absl::Status& status) {
    spdlog::error("{}", std::string(status.message()));
    return kNothingServed;
  }

  absl::Status Listen() {
    // Nobody who can connect is told that a package which is still being loaded is an unknown service.
    board_.Refresh();
    absl::StatusOr<std::unique_ptr<GrpcServer>> server =
        GrpcServer::Start(config_, gate_, observer_, inference_, table_, board_.Snapshot());
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    if (!config_.http_address.empty()) {
      auto http = HttpFront::Start(config_, gate_, observer_, inference_, table_, board_);
      if (!http.ok()) return http.status();
      http_ = *std::move(http);
    }
    if (!config_.probe_address.empty()) {
      absl::StatusOr<std::unique_ptr<ProbeServer>> probe = ProbeServer::Start(config_.probe_address, board_.Snapshot());
      if (!probe.ok()) return probe.status();
      probe_ = *std::move(probe);
    }
    if (!config_.admin_http_address.empty()) {
      auto http = HttpAdmin::Start(config_, access_.get(), table_, watcher_, clock_, observer_);
      if (!http.ok()) return http.status();
      admin_http_ = *std::move(http);
    }
    if (config_.admin_address.empty()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<AdminServer>> admin =
        AdminServer::Start(config_, access_.get(), table_, watcher_, clock_, observer_);
    if (!admin.ok()) return admin.status();
    admin_ = *std::move(admin);
    return absl::OkStatus();
  }

  /// All packages of the start have been tried, or the daemon was stopped meanwhile. On the watcher's thread.
  void OnLoaded(bool finished) {
    if (!finished) return;
    const std::vector<ModelEntry> models = table_.List();
    const auto serving = std::ranges::count(models, ModelState::kServing, &ModelEntry::state);
    if (serving == 0 && config_.models_allow_empty != "true") {
      spdlog::error("no package of {} could be loaded; nothing to serve", config_.models_directory);
      nothing_serves_ = true;
      kill(getpid(), SIGTERM);
      return;
    }
    board_.SetStarted();
    spdlog::info("ready: {} of {} packages serve", serving, models.size());
  }

  /// What was accepted gets its INTERNAL soon, and a supervisor starts a process that can use the device again.
  void OnFailure(const absl::Status& status) {
    if (!models::IsDeviceLost(status) || device_lost_.exchange(true)) return;
    spdlog::error("the CUDA device is lost to this process, which ends: {}", std::string(status.message()));
    std::thread([] {
      std::this_thread::sleep_for(kLostDevicePatience);
      std::_Exit(kDeviceLost);
    }).detach();
    board_.SetDeviceLost();
    kill(getpid(), SIGTERM);
  }

  std::shared_ptr<ModelHealth> NewHealth() {
    return std::make_shared<ModelHealth>(HealthOptionsOf(config_, [this] { board_.Ring(); }), clock_);
  }

  /// To whoever asks over gRPC.
  void Publish(const HealthSnapshot& health) {
    if (server_) server_->SetHealth(health);
    if (probe_) probe_->SetHealth(health);
  }

  static void LogHealth(bool bad, const std::string& line) {
    bad ? spdlog::error("{}", line) : spdlog::info("{}", line);
  }

  bool in_hurry() const { return nothing_serves_ || device_lost_; }

  /// Up to the last moment a call is refused with UNAVAILABLE. If callers keep coming even so, their connections just
  /// break, which means the same: gRPC's shutdown would end their calls with CANCELLED.
  void CloseListeners() {
    if (in_hurry() || !gate_.quiet()) return;
    server_->Close();
    if (probe_) probe_->Close();
  }

  bool Drain(int signal) {
    if (http_) http_->BeginDrain();
    const auto load = dispatcher_.load();
    if (!nothing_serves_) {
      spdlog::info("{}: draining, {} texts wait, {} batches run, at most {} ms", strsignal(signal),
                   load.waiting_requests, load.running_batches, config_.drain_timeout_ms);
    }
    const std::chrono::milliseconds timeout(config_.drain_timeout_ms);
    const bool finished = server_->Drain(device_lost_ ? std::min(timeout, kLostDeviceDrain) : timeout);
    if (http_) http_->Stop(kHttpGrace);
    if (!finished) spdlog::error("the drain took longer than drain.timeout_ms; what was left has been cut off");
    return finished;
  }

  const Config config_;
  const batcher::Clock& clock_;
  ModelTable table_;
  HealthBoard board_;
  batcher::Dispatcher dispatcher_;
  WorkPool pool_;
  const std::unique_ptr<feedback::FeedbackStore> feedback_;
  Inference inference_;
  const std::unique_ptr<Access> access_;
  Gate gate_;
  std::unique_ptr<HttpFront> http_;
  CallObserver observer_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<ProbeServer> probe_;
  ModelWatcher watcher_;
  Canary canary_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<HttpAdmin> admin_http_;
  std::atomic<bool> nothing_serves_ = false;
  std::atomic<bool> device_lost_ = false;
};

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
