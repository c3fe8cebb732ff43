#include "server/model_loader.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace bertha::server {

size_t ModelLoader::LoadAll(const std::vector<FoundPackage>& packages, const std::function<bool()>& stop) {
  size_t serving = 0;
  for (const FoundPackage& package : packages) {
    if (stop()) break;
    absl::Status status = Load(package);
    if (status.ok()) {
      ++serving;
      on_serving_(package.key);
    } else {
      const std::string reason(status.message());
      table_.SetFailed(package.key, reason);
      spdlog::error("{}: refused: {}: {}", package.key.ToString(), package.dir, reason);
    }
  }
  return serving;
}

absl::Status ModelLoader::Load(const FoundPackage& package) {
  const auto begin = std::chrono::steady_clock::now();
  absl::StatusOr<models::Model> loaded = models::LoadModel(package.dir, engine_);
  if (!loaded.ok()) return loaded.status();
  auto model = std::make_shared<ServingModel>();
  model->key = package.key;
  model->manifest = std::move(loaded->manifest);
  model->tokenizer = std::move(loaded->tokenizer);
  model->encoder = loaded->replicas.front()->Describe();
  model->probes = loaded->probes;
  absl::StatusOr<batcher::ModelId> id = dispatcher_.AddModel(std::move(loaded->replicas), limits_);
  if (!id.ok()) return id.status();
  model->id = *id;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  spdlog::info(
      "{}: serving: {} on {} in {} with {} threads, {:.1f} MB of weights, {} probes agree within {:.1e}, loaded in {} "
      "ms",
      package.key.ToString(), model->encoder.engine, model->encoder.device, model->encoder.dtype, loaded->threads,
      static_cast<double>(loaded->weight_bytes) / 1e6, model->probes.count, model->probes.max_abs_diff, ms.count());
  table_.SetServing(std::move(model));
  return absl::OkStatus();
}

}  // namespace bertha::server
