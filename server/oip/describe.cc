#include "server/oip/describe.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/oip/output_tensors.h"
#include "tokenizer/json_reader.h"

namespace bertha::server::oip {
namespace {

constexpr char kPlatform[] = "bertha";
/// As bertha.v1.Priority, plus one.
constexpr uint64_t kPriorityLevels = 3, kDefaultPriority = 2;

/// What a model takes besides `text`. Only that one is described: there is no way to say of a tensor that it may be
/// left out, and clients send what is listed.
std::string MoreInputs(const models::Manifest& manifest) {
  return absl::StrCat(manifest.accepts_pairs ? "text_pair " : "", "input_ids attention_mask token_type_ids");
}

absl::StatusOr<std::shared_ptr<const ServingModel>> FindWithTensors(const ModelTable& models, const std::string& name,
                                                                    const std::string& version) {
  auto model = FindVersion(models, name, version);
  if (model.ok() && OutputTensorsOf((*model)->manifest).empty()) return NoTensorsError(**model);
  return model;
}

void AddParameter(const char* name, const std::string& value, inference::ModelConfig& config) {
  (*config.mutable_parameters())[name].set_string_value(value);
}

void SetDuration(uint64_t count, batcher::Duration time, inference::StatisticDuration& out) {
  out.set_count(count);
  out.set_ns(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()));
}

/// Milliseconds of Unix time, of a point of the monotonic clock.
uint64_t UnixMilliseconds(batcher::TimePoint point, const batcher::Clock& clock) {
  const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now() - point);
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return static_cast<uint64_t>((now - ago).count());
}

void FillStatistics(const ServingModel& model, const batcher::Clock& clock, inference::ModelStatistics& out) {
  const ModelCounters::Totals totals = model.counters->Read();
  out.set_name(model.key.name);
  out.set_version(absl::StrCat(model.key.version));
  if (totals.succeeded > 0) out.set_last_inference(UnixMilliseconds(totals.last_success, clock));
  out.set_inference_count(totals.inputs);
  out.set_execution_count(totals.passes);
  inference::InferStatistics& stats = *out.mutable_inference_stats();
  SetDuration(totals.succeeded, totals.times.total, *stats.mutable_success());
  SetDuration(totals.failed, totals.failed_time, *stats.mutable_fail());
  SetDuration(totals.succeeded, totals.times.queue, *stats.mutable_queue());
  SetDuration(totals.succeeded, totals.times.tokenize, *stats.mutable_compute_input());
  SetDuration(totals.succeeded, totals.times.infer, *stats.mutable_compute_infer());
  SetDuration(totals.succeeded, totals.times.output, *stats.mutable_compute_output());
}

const char* StateName(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "LOADING";
    case ModelState::kServing:
      return "READY";
    case ModelState::kFailed:
      return "UNAVAILABLE";
  }
  return "UNKNOWN";
}

absl::Status CheckRepository(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("repository_name: is ", tokenizer::Quoted(name), "; there is one repository, without a name"));
}

}  // namespace

absl::Status NoTensorsError(const ServingModel& model) {
  return absl::FailedPreconditionError(
      absl::StrCat("the model \"", model.key.name, "\" does ", models::TaskName(model.manifest.task),
                   ", whose answers are no tensors; call ", RpcOf(model.manifest.task), " of bertha.v1.Bertha"));
}

absl::StatusOr<std::shared_ptr<const ServingModel>> FindVersion(const ModelTable& models, const std::string& name,
                                                                const std::string& version) {
  int64_t number = 0;
  if (version.empty()) return models.Find(name, 0, "");
  if (!std::ranges::all_of(version, absl::ascii_isdigit)) return models.Find(name, 0, version);
  if (absl::SimpleAtoi(version, &number) && number > 0) return models.Find(name, number, "");
  return absl::InvalidArgumentError(
      absl::StrCat("model version ", tokenizer::Quoted(version), ": expected a number from 1 on, a label, or nothing"));
}

inference::ServerMetadataResponse DescribeServer() {
  inference::ServerMetadataResponse response;
  response.set_name("bertha");
  response.set_version(BERTHA_VERSION);
  for (const char* extension : {"classification", "model_configuration", "model_repository", "statistics",
                                "binary_tensor_data", "parameters"}) {
    response.add_extensions(extension);
  }
  return response;
}

absl::StatusOr<inference::ModelReadyResponse> DescribeReadiness(const ModelTable& models,
                                                                const inference::ModelReadyRequest& request) {
  const auto model = FindVersion(models, request.name(), request.version());
  if (absl::IsInvalidArgument(model.status())) return model.status();
  inference::ModelReadyResponse response;
  response.set_ready(model.ok() && (!(*model)->health || (*model)->health->Judge().ok));
  return response;
}

absl::StatusOr<inference::ModelMetadataResponse> DescribeModel(const ModelTable& models,
                                                               const inference::ModelMetadataRequest& request) {
  const auto found = FindWithTensors(models, request.name(), request.version());
  if (!found.ok()) return found.status();
  const ServingModel& model = **found;
  inference::ModelMetadataResponse response;
  response.set_name(model.key.name);
  for (const ModelEntry& entry : models.List()) {
    if (entry.model && entry.key.name == model.key.name) response.add_versions(absl::StrCat(entry.key.version));
  }
  response.set_platform(kPlatform);
  auto& text = *response.add_inputs();
  text.set_name("text");
  text.set_datatype("BYTES");
  text.add_shape(-1);
  text.add_shape(1);
  for (const OutputTensor& output : OutputTensorsOf(model.manifest)) {
    auto& tensor = *response.add_outputs();
    tensor.set_name(output.name);
    tensor.set_datatype(output.datatype);
    tensor.add_shape(-1);
    if (output.width > 0) tensor.add_shape(static_cast<int64_t>(output.width));
  }
  return response;
}

absl::StatusOr<inference::ModelConfigResponse> DescribeConfig(const ModelTable& models, size_t max_inputs,
                                                              const inference::ModelConfigRequest& request) {
  const auto found = FindWithTensors(models, request.name(), request.version());
  if (!found.ok()) return found.status();
  const ServingModel& model = **found;
  inference::ModelConfigResponse response;
  inference::ModelConfig& config = *response.mutable_config();
  config.set_name(model.key.name);
  config.set_platform(kPlatform);
  config.set_backend(kPlatform);
  config.set_max_batch_size(static_cast<int32_t>(max_inputs));
  inference::ModelInput& text = *config.add_input();
  text.set_name("text");
  text.set_data_type(inference::TYPE_STRING);
  text.add_dims(1);
  for (const OutputTensor& output : OutputTensorsOf(model.manifest)) {
    inference::ModelOutput& added = *config.add_output();
    added.set_name(output.name);
    added.set_data_type(output.kind == OutputKind::kLabel ? inference::TYPE_STRING : inference::TYPE_FP32);
    if (output.width > 0) added.add_dims(static_cast<int64_t>(output.width));
  }
  config.mutable_dynamic_batching()->set_priority_levels(kPriorityLevels);
  config.mutable_dynamic_batching()->set_default_priority_level(kDefaultPriority);
  config.mutable_model_transaction_policy()->set_decoupled(false);
  AddParameter("version", absl::StrCat(model.key.version), config);
  AddParameter("more_inputs", MoreInputs(model.manifest), config);
  AddParameter("family", model.manifest.family, config);
  AddParameter("task", std::string(models::TaskName(model.manifest.task)), config);
  AddParameter("max_length", absl::StrCat(model.manifest.max_length), config);
  AddParameter("engine", model.encoder.engine, config);
  AddParameter("device", model.encoder.device, config);
  AddParameter("dtype", model.encoder.dtype, config);
  return response;
}

absl::StatusOr<inference::ModelStatisticsResponse> DescribeStatistics(
    const ModelTable& models, const batcher::Clock& clock, const inference::ModelStatisticsRequest& request) {
  inference::ModelStatisticsResponse response;
  if (!request.version().empty()) {
    const auto model = FindVersion(models, request.name(), request.version());
    if (!model.ok()) return model.status();
    FillStatistics(**model, clock, *response.add_model_stats());
    return response;
  }
  if (!request.name().empty()) {
    if (const auto model = models.Find(request.name(), 0, ""); !model.ok()) return model.status();
  }
  for (const ModelEntry& entry : models.List()) {
    if (!entry.model || (!request.name().empty() && request.name() != entry.key.name)) continue;
    FillStatistics(*entry.model, clock, *response.add_model_stats());
  }
  return response;
}

absl::StatusOr<inference::RepositoryIndexResponse> DescribeRepository(
    const ModelTable& models, const inference::RepositoryIndexRequest& request) {
  if (absl::Status status = CheckRepository(request.repository_name()); !status.ok()) return status;
  inference::RepositoryIndexResponse response;
  for (const ModelEntry& entry : models.List()) {
    if (request.ready() && entry.state != ModelState::kServing) continue;
    auto& model = *response.add_models();
    model.set_name(entry.key.name);
    model.set_version(absl::StrCat(entry.key.version));
    model.set_state(StateName(entry.state));
    model.set_reason(entry.reason.empty() ? entry.refused_update : entry.reason);
  }
  return response;
}

absl::Status CheckLoad(const inference::RepositoryModelLoadRequest& request) {
  if (absl::Status status = CheckRepository(request.repository_name()); !status.ok()) return status;
  if (request.model_name().empty()) return absl::InvalidArgumentError("model_name: is empty; name one");
  if (request.parameters().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("parameter ", tokenizer::Quoted(request.parameters().begin()->first),
                   ": models are loaded from their packages in the model directory as they are"));
}

absl::Status CheckUnload(const inference::RepositoryModelUnloadRequest& request) {
  if (absl::Status status = CheckRepository(request.repository_name()); !status.ok()) return status;
  if (request.model_name().empty()) return absl::InvalidArgumentError("model_name: is empty; name one");
  return absl::OkStatus();
}

}  // namespace bertha::server::oip
