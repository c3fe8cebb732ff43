#include "server/model_status.h"

#include <string>

namespace bertha::server {
namespace {

v1::ModelStatus::State StateOf(const ModelEntry& entry) {
  switch (entry.state) {
    case ModelState::kLoading:
      return v1::ModelStatus::STATE_LOADING;
    case ModelState::kServing:
      return v1::ModelStatus::STATE_SERVING;
    case ModelState::kFailed:
      return v1::ModelStatus::STATE_FAILED;
  }
  return v1::ModelStatus::STATE_UNSPECIFIED;
}

void FillModel(const ServingModel& model, v1::ModelStatus& status) {
  FillModelInfo(model, *status.mutable_model());
  status.set_family(model.manifest.family);
  status.set_task(std::string(models::TaskName(model.manifest.task)));
  for (const std::string& label : model.manifest.labels) status.add_labels(label);
  status.set_max_length(static_cast<uint32_t>(model.manifest.max_length));
  status.set_accepts_pairs(model.manifest.accepts_pairs);
  status.set_probe_max_abs_diff(model.probes.max_abs_diff);
  status.set_probe_count(static_cast<uint32_t>(model.probes.count));
  v1::SelfCheck& check = *status.mutable_self_check();
  check.set_max_abs_diff(model.probes.max_abs_diff);
  check.set_mean_abs_diff(model.probes.mean_abs_diff);
  check.set_max_probability_diff(model.probes.max_probability_diff);
  check.set_mean_probability_diff(model.probes.mean_probability_diff);
  check.set_decisions(static_cast<uint32_t>(model.probes.decisions));
  check.set_flips(static_cast<uint32_t>(model.probes.flips));
  check.set_tolerance(model.probes.tolerance);
  for (const std::string& reason : model.refused) status.add_refused_engines(reason);
  status.set_dimension(static_cast<uint32_t>(model.manifest.dimension));
  status.set_weight_bytes(model.weight_bytes);
}

}  // namespace

void FillModelInfo(const ServingModel& model, v1::ModelInfo& info) {
  info.set_name(model.key.name);
  info.set_version(model.key.version);
  info.set_engine(model.encoder.engine);
  info.set_device(model.encoder.device);
  info.set_dtype(model.encoder.dtype);
}

v1::ModelStatus ToWire(const ModelEntry& entry) {
  v1::ModelStatus status;
  status.mutable_model()->set_name(entry.key.name);
  status.mutable_model()->set_version(entry.key.version);
  status.set_state(StateOf(entry));
  status.set_reason(entry.reason);
  status.set_refused_update(entry.refused_update);
  if (entry.model && entry.model->health) status.set_unhealthy(entry.model->health->Judge().reason);
  status.set_is_default(entry.is_default);
  for (const std::string& label : entry.labels) status.add_version_labels(label);
  if (entry.model) FillModel(*entry.model, status);
  return status;
}

}  // namespace bertha::server
