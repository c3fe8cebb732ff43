// Where a method is found over HTTP: one rule for the server and for its OpenAPI document.
//
//   bertha.v1.Bertha/TagTokens         POST /v1/tag-tokens
//   bertha.v1.Bertha/ListModels        GET  /v1/models            (nothing to send)
//   bertha.v1.ModelControl/Load        POST /v1/model-control/load
//
// Thread-safety: pure function.
#ifndef BERTHA_SERVER_JSON_ROUTE_H_
#define BERTHA_SERVER_JSON_ROUTE_H_

#include <google/protobuf/descriptor.h>

#include <string>

namespace bertha::server {

struct JsonRoute {
  std::string verb;
  std::string path;
};

JsonRoute JsonRouteOf(const google::protobuf::MethodDescriptor& method);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_JSON_ROUTE_H_
