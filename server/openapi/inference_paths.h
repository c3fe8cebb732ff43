// The Open Inference Protocol over HTTP in an OpenAPI document: its paths (server/oip/rest_paths.h), with the bodies
// that are simply its messages. Bodies that are not are in inference_components.json.
//
// Thread-safety: free functions.
#ifndef BERTHA_SERVER_OPENAPI_INFERENCE_PATHS_H_
#define BERTHA_SERVER_OPENAPI_INFERENCE_PATHS_H_

#include <google/protobuf/descriptor.h>

#include <string>

#include "server/openapi/message_schemas.h"

namespace bertha::server::openapi {

/// Adds those that begin with `prefix` to `paths`, and the messages that they refer to to `schemas`. `service`:
/// inference.GRPCInferenceService, for its comments and messages.
void AddInferencePaths(const google::protobuf::ServiceDescriptor& service, const std::string& prefix, Json& paths,
                       Json& schemas);

}  // namespace bertha::server::openapi

#endif  // BERTHA_SERVER_OPENAPI_INFERENCE_PATHS_H_
