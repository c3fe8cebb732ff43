#include "server/model_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tokenizer/json_reader.h"

namespace bertha::server {
namespace {

using tokenizer::Quoted;

/// Of those that a request could mean the one in the best state is taken.
int Rank(const ModelEntry& entry) {
  return entry.state == ModelState::kServing ? 2 : entry.state == ModelState::kLoading ? 1 : 0;
}

}  // namespace

std::string ModelKey::ToString() const { return absl::StrCat(name, ":", version); }

void ModelTable::SetLoading(const ModelKey& key) {
  MutexLock lock(mutex_);
  ModelEntry& entry = entries_[key];
  if (entry.state != ModelState::kServing) entry = {.key = key, .state = ModelState::kLoading};
}

void ModelTable::SetServing(std::shared_ptr<const ServingModel> model) {
  std::shared_ptr<const ServingModel> replaced;  // let go of after the lock
  MutexLock lock(mutex_);
  counts_.loaded += 1;
  if (model->fell_back) counts_.fell_back += 1;
  const ModelKey key = model->key;
  ModelEntry& entry = entries_[key];
  replaced = std::move(entry.model);
  entry = {.key = key, .state = ModelState::kServing, .model = std::move(model)};
  Settle(key.name);
}

void ModelTable::SetFailed(const ModelKey& key, std::string reason) {
  MutexLock lock(mutex_);
  counts_.refused += 1;
  ModelEntry& entry = entries_[key];
  if (entry.state == ModelState::kServing) {
    entry.refused_update = std::move(reason);
  } else {
    entry = {.key = key, .state = ModelState::kFailed, .reason = std::move(reason)};
  }
  Settle(key.name);
}

void ModelTable::SetStopped(const ModelKey& key, std::string reason) {
  std::shared_ptr<const ServingModel> stopped;
  MutexLock lock(mutex_);
  ModelEntry& entry = entries_[key];
  stopped = std::move(entry.model);
  entry = {.key = key, .state = ModelState::kFailed, .reason = std::move(reason)};
  Settle(key.name);
}

bool ModelTable::Remove(const ModelKey& key) {
  ModelEntry removed;
  MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) return false;
  removed = std::move(it->second);
  entries_.erase(it);
  Settle(key.name);
  return true;
}

void ModelTable::SetLabels(const std::string& name, const VersionLabels& labels) {
  MutexLock lock(mutex_);
  if (labels.empty()) {
    labels_.erase(name);
    return;
  }
  labels_[name].wanted = labels;
  Settle(name);
}

void ModelTable::Settle(const std::string& name) {
  if (const auto it = labels_.find(name); it != labels_.end()) {
    VersionLabels current;
    for (const auto& [label, version] : it->second.wanted) {
      const auto old = it->second.current.find(label);
      const bool stays = old != it->second.current.end() && !Serves(name, version) && Serves(name, old->second);
      current[label] = stays ? old->second : version;
    }
    it->second.current = std::move(current);
  }
  if (!default_name_.empty()) return;
  const std::set<std::string> live = LiveNames();
  if (!live.contains(only_name_)) only_name_.clear();
  if (!only_name_.empty() || live.size() != 1) return;
  const ModelEntry* best = Best(*live.begin(), 0);
  if (best->state == ModelState::kServing) only_name_ = *live.begin();
}

bool ModelTable::Serves(const std::string& name, int64_t version) const {
  const auto it = entries_.find({name, version});
  return it != entries_.end() && it->second.state == ModelState::kServing;
}

std::set<std::string> ModelTable::LiveNames() const {
  std::set<std::string> names;
  for (const auto& [key, entry] : entries_) {
    if (entry.state != ModelState::kFailed) names.insert(key.name);
  }
  return names;
}

std::string ModelTable::DefaultName() const {
  if (!default_name_.empty()) return default_name_;
  if (!only_name_.empty()) return only_name_;
  const std::set<std::string> live = LiveNames();
  return live.size() == 1 ? *live.begin() : std::string();
}

std::string ModelTable::Loaded() const {
  std::string list;
  for (const auto& [key, entry] : entries_) {
    if (entry.state == ModelState::kServing) absl::StrAppend(&list, list.empty() ? "" : ", ", key.ToString());
  }
  return list.empty() ? "nothing" : list;
}

/// The newest version in the best state: serving before loading before failed.
const ModelEntry* ModelTable::Best(const std::string& name, int64_t version) const {
  const ModelEntry* best = nullptr;
  for (const auto& [key, entry] : entries_) {  // ascending versions
    if (key.name != name || (version != 0 && key.version != version)) continue;
    if (!best || Rank(entry) >= Rank(*best)) best = &entry;
  }
  return best;
}

absl::StatusOr<int64_t> ModelTable::VersionOf(const std::string& name, const std::string& label) const {
  const auto labels = labels_.find(name);
  if (labels == labels_.end()) {
    return absl::NotFoundError(absl::StrCat("the model ", Quoted(name), " has no labels (labels.json), ", Quoted(label),
                                            " is none; loaded: ", Loaded()));
  }
  const auto it = labels->second.current.find(label);
  if (it == labels->second.current.end()) {
    return absl::NotFoundError(
        absl::StrCat("the model ", Quoted(name), " has no label ", Quoted(label),
                     "; its labels: ", absl::StrJoin(labels->second.current, ", ", absl::PairFormatter(" = "))));
  }
  if (!entries_.contains({name, it->second})) {
    return absl::NotFoundError(absl::StrCat("the label ", Quoted(label), " of the model ", Quoted(name),
                                            " points to version ", it->second,
                                            ", which is not there; loaded: ", Loaded()));
  }
  return it->second;
}

absl::StatusOr<std::shared_ptr<const ServingModel>> ModelTable::Find(const std::string& name, int64_t version,
                                                                     const std::string& label) const {
  if (version != 0 && !label.empty()) {
    return absl::InvalidArgumentError("version and version_label are both set; set one of them");
  }
  MutexLock lock(mutex_);
  const std::string wanted = name.empty() ? DefaultName() : name;
  if (wanted.empty()) {
    return absl::NotFoundError(
        absl::StrCat("the request names no model and there is no default (models.default); loaded: ", Loaded()));
  }
  std::string what = version == 0 ? wanted : ModelKey{wanted, version}.ToString();
  if (!label.empty() && Best(wanted, 0)) {
    absl::StatusOr<int64_t> labelled = VersionOf(wanted, label);
    if (!labelled.ok()) return labelled.status();
    version = *labelled;
    what = absl::StrCat(ModelKey{wanted, version}.ToString(), " (", label, ")");
  }
  const ModelEntry* entry = Best(wanted, version);
  if (!entry) return absl::NotFoundError(absl::StrCat("no model ", Quoted(what), "; loaded: ", Loaded()));
  switch (entry->state) {
    case ModelState::kServing:
      return entry->model;
    case ModelState::kLoading:
      return absl::UnavailableError(absl::StrCat("the model ", Quoted(what), " is still being loaded; try again"));
    case ModelState::kFailed:
      break;
  }
  return absl::NotFoundError(
      absl::StrCat("the model ", Quoted(what), " does not serve: ", entry->reason, "; loaded: ", Loaded()));
}

std::vector<ModelEntry> ModelTable::List() const {
  MutexLock lock(mutex_);
  const std::string default_name = DefaultName();
  const ModelEntry* default_entry = default_name.empty() ? nullptr : Best(default_name, 0);
  std::vector<ModelEntry> list;
  for (const auto& [key, entry] : entries_) {
    list.push_back(entry);
    list.back().is_default = &entry == default_entry && entry.state == ModelState::kServing;
    const auto labels = labels_.find(key.name);
    if (labels == labels_.end()) continue;
    for (const auto& [label, version] : labels->second.current) {
      if (version == key.version) list.back().labels.push_back(label);
    }
  }
  return list;
}

ModelTable::Counts ModelTable::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

std::vector<std::string> ModelTable::Problems() const {
  MutexLock lock(mutex_);
  std::vector<std::string> problems;
  for (const auto& [name, labels] : labels_) {
    for (const auto& [label, version] : labels.wanted) {
      if (Serves(name, version)) continue;
      const int64_t current = labels.current.at(label);
      problems.push_back(absl::StrCat(name, ": the label \"", label, "\" points to version ", version,
                                      ", which does not serve",
                                      current == version ? "" : absl::StrCat("; it stays at ", current)));
    }
  }
  if (!only_name_.empty() && LiveNames().size() > 1) {
    problems.push_back(absl::StrCat("requests that name no model go to \"", only_name_,
                                    "\", which was the only one; after a restart they will be refused: set "
                                    "models.default"));
  }
  return problems;
}

}  // namespace bertha::server
