#include "server/model_table.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace bertha::server {

std::string ModelKey::ToString() const { return absl::StrCat(name, ":", version); }

void ModelTable::SetLoading(const ModelKey& key) {
  MutexLock lock(mutex_);
  entries_[key] = {key, ModelState::kLoading, {}, nullptr, false};
}

void ModelTable::SetServing(std::shared_ptr<const ServingModel> model) {
  MutexLock lock(mutex_);
  const ModelKey key = model->key;
  entries_[key] = {key, ModelState::kServing, {}, std::move(model), false};
}

void ModelTable::SetFailed(const ModelKey& key, std::string reason) {
  MutexLock lock(mutex_);
  entries_[key] = {key, ModelState::kFailed, std::move(reason), nullptr, false};
}

std::string ModelTable::DefaultName() const {
  if (!default_name_.empty()) return default_name_;
  std::set<std::string> names;
  for (const auto& [key, entry] : entries_) {
    if (entry.state != ModelState::kFailed) names.insert(key.name);
  }
  return names.size() == 1 ? *names.begin() : std::string();
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
  auto rank = [](const ModelEntry& e) {
    return e.state == ModelState::kServing ? 2 : e.state == ModelState::kLoading ? 1 : 0;
  };
  for (const auto& [key, entry] : entries_) {  // ascending versions
    if (key.name != name || (version != 0 && key.version != version)) continue;
    if (!best || rank(entry) >= rank(*best)) best = &entry;
  }
  return best;
}

absl::StatusOr<std::shared_ptr<const ServingModel>> ModelTable::Find(const std::string& name, int64_t version) const {
  MutexLock lock(mutex_);
  const std::string wanted = name.empty() ? DefaultName() : name;
  if (wanted.empty()) {
    return absl::NotFoundError(
        absl::StrCat("the request names no model and there is no default (models.default); loaded: ", Loaded()));
  }
  const ModelEntry* entry = Best(wanted, version);
  const std::string what = version == 0 ? wanted : ModelKey{wanted, version}.ToString();
  if (!entry) return absl::NotFoundError(absl::StrCat("no model \"", what, "\"; loaded: ", Loaded()));
  switch (entry->state) {
    case ModelState::kServing:
      return entry->model;
    case ModelState::kLoading:
      return absl::UnavailableError(absl::StrCat("the model \"", what, "\" is still being loaded; try again"));
    case ModelState::kFailed:
      break;
  }
  return absl::NotFoundError(
      absl::StrCat("the model \"", what, "\" was refused when it was loaded: ", entry->reason, "; loaded: ", Loaded()));
}

std::vector<ModelEntry> ModelTable::List() const {
  MutexLock lock(mutex_);
  const std::string default_name = DefaultName();
  const ModelEntry* default_entry = default_name.empty() ? nullptr : Best(default_name, 0);
  std::vector<ModelEntry> list;
  for (const auto& [key, entry] : entries_) {
    list.push_back(entry);
    list.back().is_default = &entry == default_entry && entry.state == ModelState::kServing;
  }
  return list;
}

}  // namespace bertha::server
