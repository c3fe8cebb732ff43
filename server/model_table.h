// Which models are there, and which one does a request mean?
//
// Thread-safety: thread-safe. Readers get a shared_ptr to an immutable model, so a model outlives its removal for as
// long as a call uses it.
#ifndef BERTHA_SERVER_MODEL_TABLE_H_
#define BERTHA_SERVER_MODEL_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "batcher/mutex.h"
#include "batcher/request.h"
#include "models/manifest.h"
#include "models/probes.h"
#include "tokenizer/tokenizer.h"

namespace bertha::server {

/// Name and version, as the package's directories give them.
struct ModelKey {
  std::string name;
  int64_t version = 0;
  auto operator<=>(const ModelKey&) const = default;
  std::string ToString() const;
};

/// A model that answers. Immutable.
struct ServingModel {
  ModelKey key;
  models::Manifest manifest;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  batcher::EncoderDescription encoder;
  batcher::ModelId id = 0;
  models::ProbeReport probes;
};

enum class ModelState { kLoading, kServing, kFailed };

/// A line of ListModels.
struct ModelEntry {
  ModelKey key;
  ModelState state = ModelState::kLoading;
  /// Why it was refused.
  std::string reason;
  std::shared_ptr<const ServingModel> model;  // null unless serving
  bool is_default = false;
};

class ModelTable {
 public:
  /// `default_name`: the model of requests that name none; empty: the only name that is loaded.
  explicit ModelTable(std::string default_name) : default_name_(std::move(default_name)) {}

  void SetLoading(const ModelKey& key);
  void SetServing(std::shared_ptr<const ServingModel> model);
  void SetFailed(const ModelKey& key, std::string reason);

  /// The model that a request means. Empty name: the default. Version 0: the newest that serves. NOT_FOUND names what
  /// is loaded, and why the model was refused if it was; UNAVAILABLE if it is still being loaded.
  absl::StatusOr<std::shared_ptr<const ServingModel>> Find(const std::string& name, int64_t version) const;

  /// Every package that was found, by name and version.
  std::vector<ModelEntry> List() const;

 private:
  std::string DefaultName() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Loaded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const ModelEntry* Best(const std::string& name, int64_t version) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string default_name_;
  mutable Mutex mutex_;
  std::map<ModelKey, ModelEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_TABLE_H_
