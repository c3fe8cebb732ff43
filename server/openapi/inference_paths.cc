#include "server/openapi/inference_paths.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/oip/rest_paths.h"

namespace bertha::server::openapi {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::MethodDescriptor;

bool Infers(const MethodDescriptor& method) { return method.name() == "ModelInfer"; }

/// Says of a body how much of it is JSON.
Json LengthHeader() {
  return {{"description", "Bytes of the body that are JSON; binary tensors follow. Without it all of it is JSON."},
          {"schema", {{"type", "integer"}, {"minimum", 0}}}};
}

Json Parameters(const oip::RestPath& path, const MethodDescriptor& method) {
  Json parameters = Json::array();
  for (const char* name : {"model", "version"}) {
    if (absl::StrContains(path.pattern, absl::StrCat("{", name, "}"))) {
      parameters.push_back({{"$ref", absl::StrCat("#/components/parameters/", name)}});
    }
  }
  if (Infers(method)) {
    Json header = {{"name", oip::kJsonLengthHeader}, {"in", "header"}};
    header.update(LengthHeader());
    parameters.push_back(header);
  }
  return parameters;
}

/// Config and index are sent without the message around them.
Json Answer(const MethodDescriptor& method, MessageSchemas& messages) {
  constexpr auto kAnswer = MessageSchemas::Direction::kAnswer;
  const Descriptor& type = *method.output_type();
  if (Infers(method)) return ReferenceTo("inference.InferResponse");
  if (method.name() == "ModelConfig") {
    return messages.Reference(*type.FindFieldByName("config")->message_type(), kAnswer);
  }
  if (method.name() == "RepositoryIndex") {
    return {{"type", "array"}, {"items", messages.Reference(*type.FindFieldByName("models")->message_type(), kAnswer)}};
  }
  return messages.Reference(type, kAnswer);
}

Json Response(const char* description, const Json& schema) {
  Json response = {{"description", description}};
  response.update(ContentOf(kJson, schema));
  return response;
}

Json Responses(const MethodDescriptor& method, MessageSchemas& messages) {
  const Json answer = Answer(method, messages);
  Json ok = Response("OK", answer);
  if (Infers(method)) {
    ok["headers"][oip::kJsonLengthHeader] = LengthHeader();
    ok["content"]["application/octet-stream"] = Json::object();
  }
  const Json error = ReferenceTo("inference.Error"), of_http = ReferenceTo("HttpError");
  Json responses = {{"200", ok}};
  if (method.output_type()->FindFieldByName("ready")) {
    responses["503"] = Response("Not ready, or an error", {{"anyOf", {answer, error, of_http}}});
  }
  responses["default"] =
      Response("An error; one of HTTP itself has the form of HttpError", {{"anyOf", {error, of_http}}});
  return responses;
}

}  // namespace

void AddInferencePaths(const google::protobuf::ServiceDescriptor& service, const std::string& prefix, Json& paths,
                       Json& schemas) {
  MessageSchemas messages(schemas, Integers64::kNumbers);
  for (const oip::RestPath& path : oip::RestPaths()) {
    if (!absl::StartsWith(path.pattern, prefix)) continue;
    const MethodDescriptor& method = *service.FindMethodByName(path.method);
    // A method may have several paths, which differ by their parameters.
    std::string id = absl::StrCat("Inference_", path.method);
    if (absl::StrContains(path.pattern, "{model}")) id += "_model";
    if (absl::StrContains(path.pattern, "{version}")) id += "_version";
    Json operation = {{"operationId", id}, {"tags", {"Open Inference Protocol"}}};
    Describe(method, operation);
    if (Json parameters = Parameters(path, method); !parameters.empty()) operation["parameters"] = parameters;
    if (path.verb == "POST") {
      operation["requestBody"] = {{"$ref", absl::StrCat("#/components/requestBodies/", path.method)}};
    }
    operation["responses"] = Responses(method, messages);
    paths[path.pattern][absl::AsciiStrToLower(path.verb)] = operation;
  }
}

}  // namespace bertha::server::openapi
