// Keeps the model table true to the model directory while the server runs: one thread of low priority that looks at the
// directory, loads, replaces, removes and frees, one package at a time.
//
//   scan ─▶ ModelDirectory: what has changed? ─▶ ModelLoader: load, switch, free ─▶ on_change
//
// A directory that cannot be read, or that is suddenly empty, is taken for a volume that is not mounted: what is loaded
// serves on. Polling, not inotify: network volumes send no events. Lines of the log that would come again with every
// scan are logged once.
//
// Priority: nice 10, a tenth of a core that serving threads want too. Not SCHED_IDLE: on a busy machine an update would
// then never end, and whoever waits for a lock that the starved thread holds would wait with it.
//
// Thread-safety: thread-safe, but for Start.
#ifndef BERTHA_SERVER_MODEL_WATCHER_H_
#define BERTHA_SERVER_MODEL_WATCHER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "batcher/dispatcher.h"
#include "batcher/mutex.h"
#include "server/model_directory.h"
#include "server/model_loader.h"
#include "server/model_table.h"
#include "server/package_scan.h"

namespace bertha::server {

struct WatcherOptions {
  std::string directory;
  /// Time between two looks at the directory. 0: only when Load is called.
  std::chrono::milliseconds poll{1000};
  /// Called on the watcher's thread after something began or ceased to serve.
  std::function<void()> on_change;
};

/// For operators: the table, and what the directory has beside it.
struct DirectoryStatus {
  struct Package {
    ModelEntry entry;
    /// Not there yet: no SHA256SUMS. The entry has only its key.
    bool waiting = false;
    /// By Unload.
    bool unloaded = false;
  };
  /// By name and version.
  std::vector<Package> packages;
  /// What else is wrong, a line each.
  std::vector<std::string> problems;
  /// Bytes of weights in memory, and how many may be (0: any number).
  uint64_t loaded_bytes = 0;
  uint64_t max_bytes = 0;
  ModelTable::Counts counts;
};

class ModelWatcher {
 public:
  using Done = std::function<void(const absl::Status&)>;

  /// `loader.on_retired` is set by the watcher. `table` and `dispatcher` outlive it.
  ModelWatcher(WatcherOptions options, ModelTable& table, batcher::Dispatcher& dispatcher, LoaderOptions loader);
  /// Stops; see Stop.
  ~ModelWatcher();

  /// Starts the thread, which loads what `scan` found, calls `on_ready` (with false if it was stopped meanwhile), and
  /// then watches. Once.
  void Start(ScanResult scan, std::function<void(bool)> on_ready);

  /// Looks at the directory now and acts on what it finds without waiting for it to hold still. `name` empty: all;
  /// `version` 0: all of that name. What was refused or unloaded is tried again. `done` gets NOT_FOUND if there is no
  /// such package, FAILED_PRECONDITION if one that was named does not serve then, with the reason; UNAVAILABLE after
  /// Stop.
  void Load(const std::string& name, int64_t version, Done done);
  /// Stops serving a version (0: all of that name) until its package changes or Load is called. `done` gets NOT_FOUND
  /// if there is no such package. Calls in flight are finished.
  void Unload(const std::string& name, int64_t version, Done done);

  DirectoryStatus Describe() const;

  /// As Stop, but returns at once.
  void BeginStop();
  /// Finishes the package that is being loaded, answers what waits with UNAVAILABLE, and joins. Idempotent.
  void Stop();

 private:
  using Matches = std::function<bool(const ModelKey&)>;
  struct Request {
    bool load = false;
    std::string name;
    int64_t version = 0;
    Done done;
    bool Matches(const ModelKey& key) const {
      return name.empty() || (key.name == name && (version == 0 || key.version == version));
    }
  };

  void Run(const ScanResult& scan, const std::function<void(bool)>& on_ready);
  /// Waits for something to do; false to end.
  bool Await(std::vector<Request>& requests);
  void Enqueue(Request request);
  /// Looks at the directory and acts; `at_once` as in ModelDirectory::Observe. UNAVAILABLE if it cannot be understood.
  absl::Status Look(const Matches& at_once);
  void Act(const ScanResult& scan, const Matches& at_once);
  void Load(const FoundPackage& package);
  void Remove(const ModelKey& key);
  void FollowLabels(const ScanResult& scan);
  absl::Status DoLoad(const Request& request);
  absl::Status DoUnload(const Request& request);
  absl::Status WhyNotServing(const Request& request) const;
  /// Frees what can be freed; memory is then tried again for.
  void Free();
  void Changed();
  /// Logs those lines that were not among the last ones.
  void Report(std::vector<std::string> problems);
  bool stopping() const;

  const WatcherOptions options_;
  ModelTable& table_;
  const uint64_t max_bytes_;

  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
  bool retired_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // For Describe; written by the thread.
  std::vector<ModelKey> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<ModelKey> unloaded_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> problems_ ABSL_GUARDED_BY(mutex_);
  uint64_t loaded_bytes_ ABSL_GUARDED_BY(mutex_) = 0;

  // The thread's own.
  ModelDirectory directory_;
  std::map<std::string, VersionLabels> labels_;
  std::set<ModelKey> lacked_memory_;  // refused for that reason
  std::chrono::steady_clock::time_point next_look_;
  ModelLoader loader_;

  Mutex stop_mutex_;  // serialises Stop
  std::thread thread_ ABSL_GUARDED_BY(stop_mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_WATCHER_H_
