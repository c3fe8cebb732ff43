// Packages on disk become serving models: reads, checks, adds to the dispatcher, says so in the table and in the log.
//
// Thread-safety: one thread at a time.
#ifndef BERTHA_SERVER_MODEL_LOADER_H_
#define BERTHA_SERVER_MODEL_LOADER_H_

#include <functional>
#include <vector>

#include "batcher/dispatcher.h"
#include "models/model.h"
#include "server/model_table.h"
#include "server/package_scan.h"

namespace bertha::server {

class ModelLoader {
 public:
  /// Called after a model began to serve; its forward pass has succeeded by then.
  using OnServing = std::function<void(const ModelKey&)>;

  ModelLoader(ModelTable& table, batcher::Dispatcher& dispatcher, const models::EngineOptions& engine,
              const batcher::ModelLimits& limits, OnServing on_serving)
      : table_(table), dispatcher_(dispatcher), engine_(engine), limits_(limits), on_serving_(std::move(on_serving)) {}

  /// Loads one after the other; one that fails is logged in one line and does not stop the others. Returns how many
  /// serve. Stops early when `stop` says so.
  size_t LoadAll(const std::vector<FoundPackage>& packages, const std::function<bool()>& stop);

 private:
  absl::Status Load(const FoundPackage& package);

  ModelTable& table_;
  batcher::Dispatcher& dispatcher_;
  const models::EngineOptions engine_;
  const batcher::ModelLimits limits_;
  const OnServing on_serving_;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_LOADER_H_
