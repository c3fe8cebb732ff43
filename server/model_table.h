// Which models are there, and which one does a request mean?
//
// A version serves until it is removed, whatever becomes of the package that is to replace it: SetServing replaces it
// in one step, SetFailed leaves it and remembers why the newer package was refused.
//
// Thread-safety: thread-safe. Readers get a shared_ptr to an immutable model, so a model outlives its removal for as
// long as a call uses it.
#ifndef BERTHA_SERVER_MODEL_TABLE_H_
#define BERTHA_SERVER_MODEL_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "batcher/encoder.h"
#include "batcher/mutex.h"
#include "batcher/request.h"
#include "models/cuda_engine.h"
#include "models/manifest.h"
#include "models/probes.h"
#include "models/self_check.h"
#include "server/metrics/model_metrics.h"
#include "server/model_counters.h"
#include "server/model_health.h"
#include "tokenizer/tokenizer.h"

namespace bertha::server {

/// Name and version, as the package's directories give them.
struct ModelKey {
  std::string name;
  int64_t version = 0;
  auto operator<=>(const ModelKey&) const = default;
  std::string ToString() const;
};

/// A model that answers. Immutable, but for what is counted. Whoever submits requests of `id` holds it until they have
/// ended: the dispatcher gives the model up when nobody does any more (see ModelLoader).
struct ServingModel {
  ModelKey key;
  models::Manifest manifest;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  batcher::EncoderDescription encoder;
  batcher::ModelId id = 0;
  models::ProbeReport probes;
  /// See models::Model.
  std::vector<models::Probe> canaries;
  /// What its forward passes say; null: not asked.
  std::shared_ptr<ModelHealth> health;
  /// See models::Model.
  std::vector<std::string> refused;
  bool fell_back = false;
  size_t weight_bytes = 0;
  /// Where its cost table is kept; empty: nowhere.
  std::string costs_file;
  const std::shared_ptr<ModelMetrics> metrics = std::make_shared<ModelMetrics>();
  /// From 0 each time that it is loaded.
  const std::unique_ptr<ModelCounters> counters = std::make_unique<ModelCounters>();
  /// See models::Model.
  std::vector<models::CudaDeviceInUse> cuda_devices;
};

enum class ModelState { kLoading, kServing, kFailed };

/// A line of ListModels.
struct ModelEntry {
  ModelKey key;
  ModelState state = ModelState::kLoading;
  /// Why it does not serve (kFailed).
  std::string reason;
  /// Why the package that was to replace it was refused (kServing).
  std::string refused_update;
  std::shared_ptr<const ServingModel> model;  // null unless serving
  bool is_default = false;
  /// In alphabetical order.
  std::vector<std::string> labels;
};

/// Labels of one model's versions, e.g. {"stable", 3}.
using VersionLabels = std::map<std::string, int64_t>;

class ModelTable {
 public:
  /// `default_name`: the model of requests that name none; empty: the only name that is loaded, which stays the default
  /// when others join it.
  explicit ModelTable(std::string default_name) : default_name_(std::move(default_name)) {}

  /// It is being loaded. One that serves goes on serving.
  void SetLoading(const ModelKey& key);
  /// It serves from now on, in place of the one that had its key.
  void SetServing(std::shared_ptr<const ServingModel> model);
  /// Its package was refused. One that serves goes on serving.
  void SetFailed(const ModelKey& key, std::string reason);
  /// It serves no more, but is still listed, with the reason.
  void SetStopped(const ModelKey& key, std::string reason);
  /// It serves no more and is forgotten. False if it was not known.
  bool Remove(const ModelKey& key);

  /// Replaces the labels of a model. A label whose new version does not serve yet stays where it was for as long as
  /// that version serves.
  void SetLabels(const std::string& name, const VersionLabels& labels);

  /// The model that a request means. Empty name: the default. Version 0: the newest that serves, or the one with
  /// `label` if that is not empty. INVALID_ARGUMENT if both are set; NOT_FOUND names what is loaded, and why the model
  /// does not serve if it was refused or its label points nowhere; UNAVAILABLE if it is still being loaded.
  absl::StatusOr<std::shared_ptr<const ServingModel>> Find(const std::string& name, int64_t version,
                                                           const std::string& label) const;

  /// Every package that was found, by name and version.
  std::vector<ModelEntry> List() const;

  /// Since the start: how often a package came to serve, and how often one was refused.
  struct Counts {
    uint64_t loaded = 0, refused = 0;
    /// Of those loaded, which are not computed by what was asked for.
    uint64_t fell_back = 0;
  };
  Counts counts() const;

  /// For the log and for operators, a line each: labels that point to a version that does not serve, and a default that
  /// holds only until the next start.
  std::vector<std::string> Problems() const;

 private:
  struct Labels {
    VersionLabels wanted;
    /// As wanted, but for those whose version does not serve and whose former version does.
    VersionLabels current;
  };

  bool Serves(const std::string& name, int64_t version) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Names with a version that serves or is being loaded.
  std::set<std::string> LiveNames() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string DefaultName() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Loaded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const ModelEntry* Best(const std::string& name, int64_t version) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> VersionOf(const std::string& name, const std::string& label) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// After each change of what serves: labels and the default follow.
  void Settle(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string default_name_;
  mutable Mutex mutex_;
  std::map<ModelKey, ModelEntry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Labels> labels_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  /// The name that was once the only one; empty when default_name_ is set.
  std::string only_name_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_MODEL_TABLE_H_
