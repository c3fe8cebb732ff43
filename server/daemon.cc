#include "server/daemon.h"

#include <spdlog/spdlog.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/cuda_engine.h"
#include "models/model.h"
#include "server/component_options.h"
#include "server/cost_cache.h"
#include "server/listeners.h"

namespace bertha::server {
namespace {

using std::chrono::milliseconds;

/// After the loss of the device, which may keep anything from ending.
constexpr milliseconds kLostDevicePatience{4000}, kLostDeviceDrain{3000};
/// Tokenizing pool for long calls: few threads, since the cores belong to the forward passes.
constexpr size_t kPoolThreads = 1;
constexpr size_t kPoolQueue = 64;
/// After drain.timeout_ms the calls that are left are cancelled; this is for them to end, and for a package that is
/// being loaded.
constexpr milliseconds kStuckGrace{3000};

/// From the first stop signal on: a second one ends the process at once, and so does a drain that outlives `limit`,
/// e.g. because a forward pass never returns.
void BoundTheDrain(const sigset_t& signals, milliseconds limit, const std::atomic<bool>& device_lost) {
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

/// What can be served at start. The watcher reports what is passed over.
absl::StatusOr<ScanResult> FindPackages(const Config& config) {
  constexpr char kNameADirectory[] = "; name a directory of packages with --models, e.g. --models demo/models";
  absl::StatusOr<ScanResult> scan = ScanPackages(config.models_directory);
  if (!scan.ok()) {
    return absl::NotFoundError(absl::StrCat(scan.status().message(), kNameADirectory));
  }
  if (config.models_allow_empty) return scan;
  if (std::ranges::none_of(scan->packages, &FoundPackage::sealed)) {
    return absl::NotFoundError(absl::StrCat(config.models_directory,
                                            ": no packages (<name>/<version>/SHA256SUMS) are in it", kNameADirectory));
  }
  const auto is_default = [&](const FoundPackage& package) { return package.key.name == config.models_default; };
  if (!config.models_default.empty() && std::ranges::none_of(scan->packages, is_default)) {
    return absl::NotFoundError(
        absl::StrCat("models.default \"", config.models_default, "\" is no model of ", config.models_directory));
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
  auto database = feedback::MakeDatabase(config.feedback_database, feedback::Access::kReadWrite);
  return std::make_unique<feedback::FeedbackStore>(std::move(database), FeedbackOptionsOf(config), clock);
}

/// How long in the lame-duck time gRPC clients may still connect. Who does not watch health calls for as long as the
/// connection stays, so every connection must have grown old by the end; all of it if none could in that time.
milliseconds AcceptingTime(milliseconds lame_duck, milliseconds connection_age) {
  constexpr milliseconds kLastCalls{200};
  const milliseconds oldest = connection_age * 11 / 10 + kLastCalls;  // gRPC adds up to 10%
  return connection_age.count() == 0 || oldest > lame_duck ? lame_duck : lame_duck - oldest;
}

void LogHealth(bool bad, const std::string& line) { bad ? spdlog::error("{}", line) : spdlog::info("{}", line); }

}  // namespace

Daemon::Daemon(const Config& config, const batcher::Clock& clock, std::unique_ptr<Access> access)
    : config_(config),
      clock_(clock),
      table_(config.models_default),
      board_(table_, clock_,
             {.on_change = [this](const HealthSnapshot& health) { Publish(health); }, .log = LogHealth}),
      dispatcher_(WiredDispatcher(), &clock),
      pool_(kPoolThreads, kPoolQueue),
      feedback_(OpenFeedback(config, clock_)),
      inference_({table_, dispatcher_, pool_, clock_, CallLimitsOf(config), feedback_.get()}),
      access_(std::move(access)),
      gate_(access_.get()),
      observer_(RequestLogOf(config)),
      watcher_(WiredWatcher(), table_, dispatcher_, WiredLoader()),
      canary_(board_, table_, dispatcher_, clock_) {}

Daemon::~Daemon() = default;

batcher::DispatcherOptions Daemon::WiredDispatcher() {
  batcher::DispatcherOptions options = DispatcherOptionsOf(config_);
  options.on_health = [this] { board_.SetWorkersStuck(!dispatcher_.healthy()); };
  options.on_failed_pass = [this](const absl::Status& status) { OnFailure(status); };
  return options;
}

WatcherOptions Daemon::WiredWatcher() {
  WatcherOptions options = WatcherOptionsOf(config_);
  options.on_change = [this] { board_.Refresh(); };
  return options;
}

LoaderOptions Daemon::WiredLoader() {
  LoaderOptions options = LoaderOptionsOf(config_);
  options.read = [this, engine = EngineOptionsOf(config_)](const std::string& dir, size_t replicas) {
    models::EngineOptions mine = engine;
    if (replicas > 0) mine.replicas = replicas;
    absl::StatusOr<models::Model> model = models::LoadModel(dir, mine);
    if (!model.ok()) OnFailure(model.status());
    return model;
  };
  options.new_health = [this] {
    HealthOptions health = HealthOptionsOf(config_);
    health.on_trouble = [this] { board_.Ring(); };
    return std::make_shared<ModelHealth>(std::move(health), clock_);
  };
  return options;
}

int Daemon::Run(const sigset_t& signals) {
  if (absl::Status status = Start(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return kNothingServed;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  const milliseconds lame_duck(in_hurry() || signal != SIGTERM ? 0 : config_.drain_lame_duck_ms);
  BoundTheDrain(signals, lame_duck + milliseconds(config_.drain_timeout_ms) + kStuckGrace, device_lost_);
  LameDuck(signal, lame_duck);
  const bool drained = Drain(signal);
  Stop(drained);
  if (!nothing_serves_) spdlog::info("stopped");
  spdlog::default_logger()->flush();
  std::_Exit(device_lost_ ? kDeviceLost : drained && !nothing_serves_ ? 0 : kNothingServed);
}

absl::Status Daemon::Start() {
  absl::StatusOr<ScanResult> scan = FindPackages(config_);
  if (!scan.ok()) return scan.status();
  const size_t found = AnnouncePackages(*scan);
  if (absl::Status status = OpenListeners(); !status.ok()) return status;
  spdlog::info("listening on {} (gRPC){}{}, loading {} packages of {}", config_.grpc_address,
               config_.http_address.empty() ? "" : absl::StrCat(", ", config_.http_address, " (HTTP)"),
               config_.admin_address.empty() ? "" : absl::StrCat(" and ", config_.admin_address, " (ModelControl)"),
               found, config_.models_directory);
  if (config_.cpu_workers == 0) PutLargestFirst(scan->packages);
  watcher_.Start(*std::move(scan), [this](bool finished) { OnLoaded(finished); });
  canary_.Start();
  return absl::OkStatus();
}

size_t Daemon::AnnouncePackages(const ScanResult& scan) {
  size_t found = 0;
  for (const FoundPackage& package : scan.packages) {
    if (!package.sealed()) continue;
    table_.SetLoading(package.key);
    ++found;
  }
  // Nobody who can connect is told that a package which is still being loaded is an unknown service.
  board_.Refresh();
  return found;
}

absl::Status Daemon::OpenListeners() {
  auto listeners = Listeners::Open(config_, {gate_, observer_, inference_, table_, board_},
                                   {access_.get(), table_, watcher_, clock_, observer_});
  if (!listeners.ok()) return listeners.status();
  listeners_ = *std::move(listeners);
  return absl::OkStatus();
}

void Daemon::OnLoaded(bool finished) {
  if (!finished) return;
  const std::vector<ModelEntry> models = table_.List();
  const auto serving = std::ranges::count(models, ModelState::kServing, &ModelEntry::state);
  if (serving == 0 && !config_.models_allow_empty) {
    spdlog::error("no package of {} could be loaded; nothing to serve", config_.models_directory);
    nothing_serves_ = true;
    kill(getpid(), SIGTERM);
    return;
  }
  board_.SetStarted();
  spdlog::info("ready: {} of {} packages serve", serving, models.size());
}

/// What was accepted gets its INTERNAL soon, and a supervisor starts a process that can use the device again.
void Daemon::OnFailure(const absl::Status& status) {
  if (!models::IsDeviceLost(status) || device_lost_.exchange(true)) return;
  spdlog::error("the CUDA device is lost to this process, which ends: {}", std::string(status.message()));
  std::thread([] {
    std::this_thread::sleep_for(kLostDevicePatience);
    std::_Exit(kDeviceLost);
  }).detach();
  board_.SetDeviceLost();
  kill(getpid(), SIGTERM);
}

void Daemon::Publish(const HealthSnapshot& health) {
  if (listeners_) listeners_->SetHealth(health);
}

void Daemon::LameDuck(int signal, milliseconds time) {
  board_.SetDraining();
  watcher_.BeginStop();
  listeners_->BeginLameDuck();
  if (time.count() > 0) {
    const milliseconds accepting = AcceptingTime(time, milliseconds(config_.limits_max_connection_age_ms));
    spdlog::info("{}: health says NOT_SERVING, calls are still answered for {} ms", strsignal(signal), time.count());
    // BoundTheDrain and OnFailure wait for what could cut this short.
    std::this_thread::sleep_for(accepting);
    if (accepting < time) listeners_->StopAccepting();
    std::this_thread::sleep_for(time - accepting);
  }
  canary_.Stop();
}

bool Daemon::Drain(int signal) {
  const auto load = dispatcher_.load();
  if (!nothing_serves_) {
    spdlog::info("{}: draining, {} texts wait, {} batches run, at most {} ms", strsignal(signal), load.waiting_requests,
                 load.running_batches, config_.drain_timeout_ms);
  }
  const milliseconds timeout(config_.drain_timeout_ms);
  const bool finished = listeners_->Drain(device_lost_ ? std::min(timeout, kLostDeviceDrain) : timeout);
  if (!finished) spdlog::error("the drain took longer than drain.timeout_ms; what was left has been cut off");
  return finished;
}

void Daemon::Stop(bool drained) {
  if (feedback_) feedback_->Stop();
  // Up to the last moment a call is refused with UNAVAILABLE. If callers keep coming even so, their connections just
  // break, which means the same: gRPC's shutdown would end their calls with CANCELLED.
  if (drained && !in_hurry() && gate_.quiet()) listeners_->ClosePublic();
  watcher_.Stop();
  listeners_->CloseAdmin();  // after what operators asked of the watcher has been answered
  for (const ModelEntry& entry : table_.List()) {
    if (entry.model) CostCache::Save(dispatcher_.Costs(entry.model->id), entry.model->costs_file);
  }
}

}  // namespace bertha::server
