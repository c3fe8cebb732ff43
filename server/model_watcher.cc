#include "server/model_watcher.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tokenizer/json_reader.h"

namespace bertha::server {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kNice = 10;
constexpr char kUnloaded[] = "unloaded by ModelControl.Unload; ModelControl.Load or a changed package serves it again";

absl::Status ShuttingDown() { return absl::UnavailableError("the server is shutting down"); }

bool Always(const ModelKey&) { return true; }
bool Never(const ModelKey&) { return false; }

LoaderOptions WithWake(LoaderOptions options, std::function<void()> on_retired) {
  options.on_retired = std::move(on_retired);
  return options;
}

}  // namespace

ModelWatcher::ModelWatcher(WatcherOptions options, ModelTable& table, batcher::Dispatcher& dispatcher,
                           LoaderOptions loader)
    : options_(std::move(options)),
      table_(table),
      max_bytes_(loader.max_bytes),
      loader_(table, dispatcher, WithWake(std::move(loader), [this] {
                MutexLock lock(mutex_);
                retired_ = true;
                wake_.NotifyAll();
              })) {}

ModelWatcher::~ModelWatcher() { Stop(); }

void ModelWatcher::Start(ScanResult scan, std::function<void(bool)> on_ready) {
  MutexLock lock(stop_mutex_);
  thread_ = std::thread([this, scan = std::move(scan), on_ready = std::move(on_ready)] { Run(scan, on_ready); });
}

void ModelWatcher::BeginStop() {
  std::vector<Request> unanswered;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    unanswered.swap(requests_);
    wake_.NotifyAll();
  }
  for (const Request& request : unanswered) request.done(ShuttingDown());
}

void ModelWatcher::Stop() {
  BeginStop();
  MutexLock lock(stop_mutex_);
  if (thread_.joinable()) thread_.join();
}

bool ModelWatcher::stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void ModelWatcher::Enqueue(Request request) {
  {
    MutexLock lock(mutex_);
    if (!stopping_) {
      requests_.push_back(std::move(request));
      wake_.NotifyAll();
      return;
    }
  }
  request.done(ShuttingDown());
}

void ModelWatcher::Load(const std::string& name, int64_t version, Done done) {
  Enqueue({true, name, version, std::move(done)});
}

void ModelWatcher::Unload(const std::string& name, int64_t version, Done done) {
  Enqueue({false, name, version, std::move(done)});
}

void ModelWatcher::Run(const ScanResult& scan, const std::function<void(bool)>& on_ready) {
  Act(scan, Always);
  if (on_ready) on_ready(!stopping());
  // Of this thread alone, though the call says process (setpriority(2), "C library/kernel differences").
  setpriority(PRIO_PROCESS, 0, kNice);
  next_look_ = SteadyClock::now() + options_.poll;
  std::vector<Request> requests;
  while (Await(requests)) {
    Free();
    for (const Request& request : requests) request.done(request.load ? DoLoad(request) : DoUnload(request));
    if (options_.poll.count() == 0 || SteadyClock::now() < next_look_) continue;
    Look(Never).IgnoreError();  // it has been reported
    next_look_ = SteadyClock::now() + options_.poll;
  }
}

bool ModelWatcher::Await(std::vector<Request>& requests) {
  requests.clear();
  MutexLock lock(mutex_);
  while (!stopping_ && requests_.empty() && !retired_) {
    if (options_.poll.count() == 0) {
      wake_.Wait(mutex_);
    } else if (!wake_.WaitUntil(mutex_, next_look_)) {
      break;
    }
  }
  retired_ = false;
  requests.swap(requests_);
  return !stopping_;
}

absl::Status ModelWatcher::Look(const Matches& at_once) {
  absl::StatusOr<ScanResult> scan = ScanPackages(options_.directory);
  std::string problem;
  if (!scan.ok()) {
    problem = absl::StrCat(scan.status().message(), "; what is loaded serves on");
  } else if (scan->empty && !table_.List().empty()) {
    problem = absl::StrCat(options_.directory,
                           ": is empty, as if a volume were not mounted; what is loaded serves on until the directory "
                           "holds something or ModelControl.Unload is called");
  }
  if (problem.empty()) {
    Act(*scan, at_once);
    return absl::OkStatus();
  }
  Report({problem});
  return absl::UnavailableError(problem);
}

void ModelWatcher::Act(const ScanResult& scan, const Matches& at_once) {
  const DirectoryChanges changes = directory_.Observe(scan, at_once);
  FollowLabels(scan);
  {
    MutexLock lock(mutex_);
    waiting_.clear();
    for (const FoundPackage& package : scan.packages) {
      if (!package.sealed()) waiting_.push_back(package.key);
    }
  }
  for (const FoundPackage& package : changes.load) {
    if (stopping()) return;
    Load(package);
  }
  for (const ModelKey& key : changes.remove) Remove(key);
  std::vector<std::string> problems = table_.Problems();
  problems.insert(problems.begin(), scan.passed_over.begin(), scan.passed_over.end());
  Report(std::move(problems));
}

void ModelWatcher::Load(const FoundPackage& package) {
  {
    MutexLock lock(mutex_);
    unloaded_.erase(package.key);
  }
  Free();
  const absl::Status status = loader_.Load(package);
  lacked_memory_.erase(package.key);
  if (absl::IsResourceExhausted(status)) lacked_memory_.insert(package.key);
  Changed();
}

void ModelWatcher::Remove(const ModelKey& key) {
  lacked_memory_.erase(key);
  {
    MutexLock lock(mutex_);
    unloaded_.erase(key);
  }
  if (!table_.Remove(key)) return;
  spdlog::info("{}: removed, its directory is gone", key.ToString());
  Changed();
}

void ModelWatcher::FollowLabels(const ScanResult& scan) {
  std::map<std::string, VersionLabels> labels = scan.labels;
  for (const auto& [name, old] : labels_) {
    if (scan.unreadable.contains(name) || scan.unreadable_labels.contains(name)) labels.emplace(name, old);
    if (!labels.contains(name)) table_.SetLabels(name, {});
  }
  for (const auto& [name, wanted] : labels) {
    const auto old = labels_.find(name);
    if (old != labels_.end() && old->second == wanted) continue;
    table_.SetLabels(name, wanted);
    spdlog::info("{}: labels: {}", name, absl::StrJoin(wanted, ", ", absl::PairFormatter(" = ")));
  }
  labels_ = std::move(labels);
}

absl::Status ModelWatcher::DoLoad(const Request& request) {
  for (const ModelEntry& entry : table_.List()) {
    const bool refused = entry.state == ModelState::kFailed || !entry.refused_update.empty();
    if (!refused || !request.Matches(entry.key)) continue;
    MutexLock lock(mutex_);
    if (!request.name.empty() || !unloaded_.contains(entry.key)) directory_.Forget(entry.key);
  }
  if (absl::Status status = Look([&](const ModelKey& key) { return request.Matches(key); }); !status.ok())
    return status;
  return WhyNotServing(request);
}

absl::Status ModelWatcher::WhyNotServing(const Request& request) const {
  if (request.name.empty()) return absl::OkStatus();
  bool found = false;
  for (const DirectoryStatus::Package& package : Describe().packages) {
    const ModelEntry& entry = package.entry;
    if (!request.Matches(entry.key)) continue;
    found = true;
    const std::string what = absl::StrCat(entry.key.ToString(), ": ");
    if (package.waiting && !entry.model) return absl::FailedPreconditionError(what + "has no SHA256SUMS yet");
    if (!entry.model) return absl::FailedPreconditionError(what + entry.reason);
    if (!entry.refused_update.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(what, "the new package was refused, the old one serves on: ", entry.refused_update));
    }
  }
  if (found) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no package of ", tokenizer::Quoted(request.name),
                                          request.version ? absl::StrCat(" version ", request.version) : "", " in ",
                                          options_.directory));
}

absl::Status ModelWatcher::DoUnload(const Request& request) {
  bool found = false;
  for (const ModelEntry& entry : table_.List()) {
    if (!request.Matches(entry.key)) continue;
    found = true;
    table_.SetStopped(entry.key, kUnloaded);
    spdlog::info("{}: unloaded by ModelControl", entry.key.ToString());
    MutexLock lock(mutex_);
    unloaded_.insert(entry.key);
  }
  if (!found) return WhyNotServing(request);
  Changed();
  return absl::OkStatus();
}

void ModelWatcher::Free() {
  if (loader_.FreeRetired() > 0) {
    for (const ModelKey& key : std::exchange(lacked_memory_, {})) directory_.Forget(key);
  }
  MutexLock lock(mutex_);
  loaded_bytes_ = loader_.loaded_bytes();
}

void ModelWatcher::Changed() {
  {
    MutexLock lock(mutex_);
    loaded_bytes_ = loader_.loaded_bytes();
  }
  if (options_.on_change) options_.on_change();
}

void ModelWatcher::Report(std::vector<std::string> problems) {
  std::vector<std::string> said;
  {
    MutexLock lock(mutex_);
    said = std::exchange(problems_, problems);
  }
  for (const std::string& problem : problems) {
    if (std::ranges::find(said, problem) == said.end()) spdlog::warn("{}", problem);
  }
}

DirectoryStatus ModelWatcher::Describe() const {
  DirectoryStatus status;
  status.max_bytes = max_bytes_;
  status.counts = table_.counts();
  std::map<ModelKey, DirectoryStatus::Package> packages;
  for (ModelEntry& entry : table_.List()) {
    const ModelKey key = entry.key;
    packages[key].entry = std::move(entry);
  }
  MutexLock lock(mutex_);
  status.problems = problems_;
  status.loaded_bytes = loaded_bytes_;
  for (const ModelKey& key : waiting_) {
    packages[key].entry.key = key;
    packages[key].waiting = true;
  }
  for (auto& [key, package] : packages) {
    package.unloaded = unloaded_.contains(key);
    status.packages.push_back(std::move(package));
  }
  return status;
}

}  // namespace bertha::server
