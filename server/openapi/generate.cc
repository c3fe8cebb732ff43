// Writes the OpenAPI document of an HTTP port: the services of a proto file, and those paths of the Open Inference
// Protocol that begin with PREFIX; out of the protos' comments too. Run by the build.
//
//   generate_openapi PROTO_DIRECTORY PROTO PREFIX COMPONENTS VERSION > openapi.json
//
// COMPONENTS: inference_components.json. Source: OpenAPI 3.1.0 (https://spec.openapis.org/oas/v3.1.0).
#include <google/protobuf/compiler/importer.h>

#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/json_route.h"
#include "server/openapi/inference_paths.h"
#include "server/openapi/message_schemas.h"

namespace bertha::server::openapi {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using Direction = MessageSchemas::Direction;

constexpr char kLines[] = "application/x-ndjson";

Json HttpErrorSchema() {
  const Json text = {{"type", "string"}};
  return {{"type", "object"},
          {"required", {"error"}},
          {"properties",
           {{"error",
             {{"type", "object"},
              {"required", {"code", "message", "status"}},
              {"properties",
               {{"code", {{"type", "integer"}, {"description", "The HTTP status."}}},
                {"message", {{"type", "string"}, {"description", "What was wrong, where, and what to do."}}},
                {"status", {{"type", "string"}, {"description", "Name of the gRPC status code."}}},
                {"details",
                 {{"type", "array"},
                  {"items",
                   {{"type", "object"},
                    {"properties", {{"@type", text}, {"retryDelay", text}}},
                    {"description", "RetryInfo: when to try again, e.g. \"0.020s\"."}}}}}}}}}}}};
}

/// The calls of a service of this server, each at its JsonRoute.
void AddService(const ServiceDescriptor& service, MessageSchemas& messages, Json& paths) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const JsonRoute route = JsonRouteOf(method);
    Json operation = {{"operationId", absl::StrCat(service.name(), "_", method.name())}, {"tags", {service.name()}}};
    Describe(method, operation);
    if (route.verb == "POST") {
      operation["requestBody"] = {{"required", true}};
      operation["requestBody"].update(ContentOf(method.client_streaming() ? kLines : kJson,
                                                messages.Reference(*method.input_type(), Direction::kRequest)));
    }
    Json ok = {{"description", "OK"}}, error = {{"description", "An error"}};
    ok.update(ContentOf(method.server_streaming() ? kLines : kJson,
                        messages.Reference(*method.output_type(), Direction::kAnswer)));
    error.update(ContentOf(kJson, ReferenceTo("HttpError")));
    operation["responses"] = {{"200", ok}, {"default", error}};
    paths[route.path][absl::AsciiStrToLower(route.verb)] = operation;
  }
}

/// Copies what is referred to in `json`, and is not in `document` yet, from `library`.
void AddReferred(const Json& json, const Json& library, Json& document) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_structured()) AddReferred(value, library, document);
    if (key != "$ref") continue;
    const Json::json_pointer place(value.get<std::string>().substr(1));
    if (document.contains(place)) continue;
    const Json referred = library.at(place);
    document[place] = referred;
    AddReferred(referred, library, document);
  }
}

Json Document(const FileDescriptor& file, const ServiceDescriptor& inference, const std::string& prefix,
              const Json& library, const std::string& version) {
  Json paths = Json::object(), schemas = {{"HttpError", HttpErrorSchema()}};
  MessageSchemas messages(schemas, Integers64::kStrings);
  for (int i = 0; i < file.service_count(); ++i) AddService(*file.service(i), messages, paths);
  AddInferencePaths(inference, prefix, paths, schemas);
  Json document = {
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "bertha"},
        {"version", version},
        {"description",
         "What BERT-family models say about texts. The same calls as bertha.v1 over gRPC: field names as in the "
         "proto. Errors have the form of google.rpc.Status as Google's HTTP APIs send it. Paths under /v2 are the "
         "Open Inference Protocol's, with its errors. Headers that every call takes: x-timeout-ms (deadline), "
         "x-request-id and traceparent (echoed), Authorization: Bearer."}}},
      {"security", {Json::object(), {{"token", Json::array()}}}},
      {"paths", paths},
      {"components",
       {{"schemas", schemas}, {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
  AddReferred(paths, library, document);
  return document;
}

class Errors final : public google::protobuf::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int, const std::string& message) override {
    std::cerr << file << ":" << line + 1 << ": " << message << "\n";
  }
};

int Main(const std::string& directory, const std::string& name, const std::string& prefix,
         const std::string& components, const std::string& version) {
  google::protobuf::compiler::DiskSourceTree tree;
  tree.MapPath("", directory);
  Errors errors;
  google::protobuf::compiler::Importer importer(&tree, &errors);
  const FileDescriptor* file = importer.Import(name);
  const FileDescriptor* inference = importer.Import("inference/grpc_service.proto");
  if (!file || !inference) return 1;
  std::ifstream library(components);
  std::cout << Document(*file, *inference->service(0), prefix, Json::parse(library), version).dump(1) << "\n";
  return std::cout.good() ? 0 : 1;
}

}  // namespace
}  // namespace bertha::server::openapi

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: generate_openapi PROTO_DIRECTORY PROTO PREFIX COMPONENTS VERSION\n";
    return 2;
  }
  return bertha::server::openapi::Main(argv[1], argv[2], argv[3], argv[4], argv[5]);
}
