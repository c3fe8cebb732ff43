#include "server/model_loader.h"

#include <malloc.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "batcher/mutex.h"
#include "server/served_passes.h"

namespace bertha::server {
namespace {

std::string Megabytes(uint64_t bytes) { return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6); }

}  // namespace

/// Where models go when nobody holds them any more.
class ModelLoader::Shelf {
 public:
  explicit Shelf(std::function<void()> on_added) : on_added_(std::move(on_added)) {}

  void Add(std::unique_ptr<const ServingModel> model) {
    MutexLock lock(mutex_);
    if (closed_) return;
    models_.push_back(std::move(model));
    if (on_added_) on_added_();
  }
  std::vector<std::unique_ptr<const ServingModel>> TakeAll() {
    MutexLock lock(mutex_);
    return std::exchange(models_, {});
  }
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
  }

 private:
  const std::function<void()> on_added_;
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<const ServingModel>> models_ ABSL_GUARDED_BY(mutex_);
};

ModelLoader::ModelLoader(ModelTable& table, batcher::Dispatcher& dispatcher, LoaderOptions options)
    : table_(table),
      dispatcher_(dispatcher),
      options_(std::move(options)),
      shelf_(std::make_shared<Shelf>(options_.on_retired)),
      cost_cache_(options_.costs_directory) {}

ModelLoader::~ModelLoader() {
  FreeRetired();
  shelf_->Close();
}

absl::Status ModelLoader::Load(const FoundPackage& package) {
  table_.SetLoading(package.key);
  absl::Status status = TryLoad(package);
  if (status.ok()) return status;
  const bool serves = table_.Find(package.key.name, package.key.version, "").ok();
  spdlog::error("{}: {}: {}: {}", package.key.ToString(),
                serves ? "the new package was refused, the old one serves on" : "refused", package.dir,
                std::string(status.message()));
  table_.SetFailed(package.key, std::string(status.message()));
  return status;
}

absl::Status ModelLoader::CheckMemory(const FoundPackage& package) {
  if (options_.max_bytes == 0 || loaded_bytes_ + package.bytes <= options_.max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("needs about ", Megabytes(package.bytes), " of memory, and ",
                                                   Megabytes(loaded_bytes_), " of ", Megabytes(options_.max_bytes),
                                                   " are taken; remove a version or raise models.max_memory_mb"));
}

absl::Status ModelLoader::TryLoad(const FoundPackage& package) {
  FreeRetired();
  if (absl::Status status = CheckMemory(package); !status.ok()) return status;
  const auto begin = std::chrono::steady_clock::now();
  absl::StatusOr<models::Model> loaded = options_.read(package.dir, dispatcher_.workers());
  if (!loaded.ok()) return loaded.status();
  auto model = std::make_unique<ServingModel>();
  model->key = package.key;
  model->manifest = std::move(loaded->manifest);
  model->tokenizer = std::move(loaded->tokenizer);
  model->encoder = loaded->replicas.front()->Describe();
  model->probes = loaded->probes;
  model->canaries = std::move(loaded->canaries);
  if (options_.new_health) model->health = options_.new_health();
  model->refused = std::move(loaded->refused);
  model->fell_back = loaded->fell_back;
  model->weight_bytes = loaded->weight_bytes;
  model->cuda_devices = std::move(loaded->cuda_devices);
  model->costs_file = cost_cache_.FileOf(package.dir, model->encoder, loaded->threads);
  batcher::CostTable costs = CostCache::Load(model->costs_file);
  if (!costs.known()) MeasureShortRuns(*loaded->replicas.front(), costs);
  batcher::ModelLimits limits = options_.limits;
  if (const auto weight = options_.weights.find(package.key.name); weight != options_.weights.end()) {
    limits.weight = weight->second;
  }
  absl::StatusOr<batcher::ModelId> id =
      dispatcher_.AddModel(std::move(loaded->replicas), limits, std::move(costs),
                           std::make_shared<ServedPasses>(model->health, model->metrics));
  if (!id.ok()) return id.status();
  model->id = *id;
  loaded_bytes_ += model->weight_bytes;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  model->metrics->load_seconds = took.count();
  const size_t workers = dispatcher_.workers();
  const std::string batches =
      model->encoder.batch_bytes > 0
          ? absl::StrCat(" and up to ", Megabytes(workers * model->encoder.batch_bytes), " for batches")
          : "";
  spdlog::info(
      "{}: serving: {} on {} in {} with {} x {} threads, {} of weights{}, {} probes agree within {:.1e}, "
      "loaded in {:.0f} ms",
      package.key.ToString(), model->encoder.engine, model->encoder.device, model->encoder.dtype, workers,
      loaded->threads, Megabytes(model->weight_bytes), batches, model->probes.count, model->probes.max_abs_diff,
      1e3 * took.count());
  for (const std::string& reason : model->refused) {
    if (model->fell_back) {
      spdlog::warn("{}: not computed by what was asked for: {}", package.key.ToString(), reason);
    } else {
      spdlog::info("{}: not computed by a faster type: {}", package.key.ToString(), reason);
    }
  }
  table_.SetServing(std::shared_ptr<const ServingModel>(model.release(), [shelf = shelf_](const ServingModel* last) {
    shelf->Add(std::unique_ptr<const ServingModel>(last));
  }));
  return absl::OkStatus();
}

size_t ModelLoader::FreeRetired() {
  std::vector<std::unique_ptr<const ServingModel>> retired = shelf_->TakeAll();
  for (const auto& model : retired) {
    CostCache::Save(dispatcher_.Costs(model->id), model->costs_file);
    dispatcher_.RemoveModel(model->id);
    loaded_bytes_ -= model->weight_bytes;
    spdlog::info("{}: {} of a model that no call uses any more are freed", model->key.ToString(),
                 Megabytes(model->weight_bytes));
  }
  const size_t freed = retired.size();
  retired.clear();
  if (freed > 0) malloc_trim(0);  // the allocator would keep the memory for the next model
  return freed;
}

}  // namespace bertha::server
