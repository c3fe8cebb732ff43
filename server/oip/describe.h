// What the Open Inference Protocol tells about the server and its models, from the model table to messages.
//
// Thread-safety: free functions over a thread-safe table.
#ifndef BERTHA_SERVER_OIP_DESCRIBE_H_
#define BERTHA_SERVER_OIP_DESCRIBE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "batcher/clock.h"
#include "inference/grpc_service.pb.h"
#include "server/model_table.h"

namespace bertha::server::oip {

/// The model that `name` and `version` mean: a number, a label, or nothing for the newest; no name for the default
/// model. INVALID_ARGUMENT if the version is a number that none can be; else as ModelTable::Find.
absl::StatusOr<std::shared_ptr<const ServingModel>> FindVersion(const ModelTable& models, const std::string& name,
                                                                const std::string& version);

/// Why a model cannot be asked over this protocol: FAILED_PRECONDITION with the method that does its task.
absl::Status NoTensorsError(const ServingModel& model);

inference::ServerMetadataResponse DescribeServer();

/// Whether it answers; false also of a model that is not known. INVALID_ARGUMENT as FindVersion.
absl::StatusOr<inference::ModelReadyResponse> DescribeReadiness(const ModelTable& models,
                                                                const inference::ModelReadyRequest& request);

// Errors of the following: as FindVersion.

/// FAILED_PRECONDITION if the protocol has no tensors for the model's task.
absl::StatusOr<inference::ModelMetadataResponse> DescribeModel(const ModelTable& models,
                                                               const inference::ModelMetadataRequest& request);

/// `max_inputs`: of one call. FAILED_PRECONDITION as DescribeModel.
absl::StatusOr<inference::ModelConfigResponse> DescribeConfig(const ModelTable& models, size_t max_inputs,
                                                              const inference::ModelConfigRequest& request);

absl::StatusOr<inference::ModelStatisticsResponse> DescribeStatistics(const ModelTable& models,
                                                                      const batcher::Clock& clock,
                                                                      const inference::ModelStatisticsRequest& request);

/// INVALID_ARGUMENT if it names a repository.
absl::StatusOr<inference::RepositoryIndexResponse> DescribeRepository(const ModelTable& models,
                                                                      const inference::RepositoryIndexRequest& request);

// Of RepositoryModelLoad and RepositoryModelUnload, before they go to the ModelWatcher: INVALID_ARGUMENT if they ask
// for what there is not, e.g. a configuration or files in the request itself.
absl::Status CheckLoad(const inference::RepositoryModelLoadRequest& request);
absl::Status CheckUnload(const inference::RepositoryModelUnloadRequest& request);

}  // namespace bertha::server::oip

#endif  // BERTHA_SERVER_OIP_DESCRIBE_H_
