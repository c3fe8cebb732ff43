// Packages on disk become serving models, and models that nobody uses any more are freed.
//
//   Load ─▶ read and check ─▶ Dispatcher::AddModel ─▶ ModelTable::SetServing ─▶ … calls hold it … ─▶ the last one lets
//   go
//                                                                                                        │
//                       FreeRetired ◀─ a shelf of models that nobody holds ◀─────────────────────────────┘
//
// So no request is ever submitted to a model that is gone, and weights are freed on the thread that loads, not on the
// one that happened to let go last.
//
// Thread-safety: one thread at a time, except that models may be let go of anywhere. The dispatcher and what the
// callbacks use outlive the loader; models that are held longer than it lives are only deleted.
#ifndef BERTHA_SERVER_MODEL_LOADER_H_
#define BERTHA_SERVER_MODEL_LOADER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/dispatcher.h"
#include "models/model.h"
#include "server/cost_cache.h"
#include "server/model_table.h"
#include "server/package_scan.h"

namespace bertha::server {

struct LoaderOptions {
  /// Reads and checks the package in a directory, with so many replicas, 0: as it chooses; see models::LoadModel.
  std::function<absl::StatusOr<models::Model>(const std::string& dir, size_t replicas)> read;
  batcher::ModelLimits limits;
  /// Shares of the device by model name; 1 for those that are not named.
  std::map<std::string, double> weights;
  /// Where cost tables are kept; empty: nowhere.
  std::string costs_directory;
  /// Bytes of weights that may be in memory, those of models that still finish calls included. A package that would
  /// need more is refused. 0: no limit.
  uint64_t max_bytes = 0;
  /// Makes what learns of a model's forward passes; empty: nobody does.
  std::function<std::shared_ptr<ModelHealth>()> new_health = {};
  /// FreeRetired has something to do. Called on any thread; must not block.
  std::function<void()> on_retired;
};

class ModelLoader {
 public:
  ModelLoader(ModelTable& table, batcher::Dispatcher& dispatcher, LoaderOptions options);
  ~ModelLoader();

  /// Loads a package beside whatever serves in its place, then replaces that; says so in the table and in the log. One
  /// that is refused is logged in one line; what served before serves on. RESOURCE_EXHAUSTED if it needs too much
  /// memory.
  absl::Status Load(const FoundPackage& package);

  /// Frees the models that have been replaced or removed and that no call uses any more. Returns how many.
  size_t FreeRetired();

  /// Of the weights in memory.
  uint64_t loaded_bytes() const { return loaded_bytes_; }

 private:
  class Shelf;

  absl::Status CheckMemory(const FoundPackage& package);
  absl::Status TryLoad(const FoundPackage& package);

  ModelTable& table_;
  batcher::Dispatcher& dispatcher_;
  const LoaderOptions options_;
  const std::shared_ptr<Shelf> shelf_;
  const CostCache cost_cache_;
  uint64_t loaded_bytes_ = 0;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_LOADER_H_
