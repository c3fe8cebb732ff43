// Writes the OpenAPI document of a proto file's services over HTTP, out of its comments too. Run by the build.
//
//   generate_openapi PROTO_DIRECTORY PROTO VERSION > openapi.json
//
// Source: OpenAPI 3.1.0 (https://spec.openapis.org/oas/v3.1.0).
#include <google/protobuf/compiler/importer.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <limits>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "server/json_route.h"

namespace bertha::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;
using Json = nlohmann::ordered_json;

constexpr char kJson[] = "application/json", kLines[] = "application/x-ndjson";

/// The comment before a declaration, on one line per paragraph.
template <class D>
std::string CommentOf(const D& descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return "";
  const std::string text = absl::StrReplaceAll(location.leading_comments, {{"\n\n", "\v"}, {"\n \n", "\v"}});
  return std::string(absl::StripAsciiWhitespace(absl::StrReplaceAll(text, {{"\n", ""}, {"\v", "\n\n"}})));
}

template <class D>
void Describe(const D& descriptor, Json& schema) {
  if (std::string comment = CommentOf(descriptor); !comment.empty()) schema["description"] = comment;
}

class Document {
 public:
  explicit Document(const std::string& version) {
    root_ = {{"openapi", "3.1.0"},
             {"info",
              {{"title", "bertha"},
               {"version", version},
               {"description",
                "What BERT-family models say about texts. The same calls as bertha.v1 over gRPC: field names as in the "
                "proto. Errors have the form of google.rpc.Status as Google's HTTP APIs send it. Headers that every "
                "call takes: x-timeout-ms (deadline), x-request-id and traceparent (echoed), Authorization: Bearer."}}},
             {"security", {Json::object(), {{"token", Json::array()}}}},
             {"paths", Json::object()},
             {"components",
              {{"schemas", {{"HttpError", HttpErrorSchema()}}},
               {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
  }

  void AddService(const ServiceDescriptor& service) {
    for (int i = 0; i < service.method_count(); ++i) AddMethod(*service.method(i));
  }
  const Json& root() const { return root_; }

 private:
  static Json HttpErrorSchema() {
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

  void AddMethod(const MethodDescriptor& method) {
    const JsonRoute route = JsonRouteOf(method);
    const char* in = method.client_streaming() ? kLines : kJson;
    const char* out = method.server_streaming() ? kLines : kJson;
    Json operation = {{"operationId", absl::StrCat(method.service()->name(), "_", method.name())},
                      {"tags", {method.service()->name()}}};
    Describe(method, operation);
    if (route.verb == "POST") {
      operation["requestBody"] = {{"required", true},
                                  {"content", {{in, {{"schema", Reference(*method.input_type(), /*answer=*/false)}}}}}};
    }
    operation["responses"] = {{"200",
                               {{"description", "OK"},
                                {"content", {{out, {{"schema", Reference(*method.output_type(), /*answer=*/true)}}}}}}},
                              {"default",
                               {{"description", "An error"},
                                {"content", {{kJson, {{"schema", {{"$ref", "#/components/schemas/HttpError"}}}}}}}}}};
    root_["paths"][route.path][absl::AsciiStrToLower(route.verb)] = operation;
  }

  /// A schema of its own for each direction: an answer has all its fields, a request need not.
  Json Reference(const Descriptor& type, bool answer) {
    const std::string name = answer ? type.name() : absl::StrCat(type.name(), ".in");
    const Json reference = {{"$ref", absl::StrCat("#/components/schemas/", name)}};
    if (!known_.insert(name).second) return reference;
    Json schema = {{"type", "object"}};
    Describe(type, schema);
    Json properties = Json::object(), required = Json::array();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      properties[field.name()] = Field(field, answer);
      if (!field.has_presence()) required.push_back(field.name());
    }
    schema["properties"] = properties;
    if (answer && !required.empty()) schema["required"] = required;
    if (!answer) schema["additionalProperties"] = false;
    root_["components"]["schemas"][name] = schema;
    return reference;
  }

  Json Field(const FieldDescriptor& field, bool answer) {
    Json schema = Value(field, answer);
    if (field.is_repeated()) schema = {{"type", "array"}, {"items", schema}};
    Describe(field, schema);
    return schema;
  }

  Json Value(const FieldDescriptor& field, bool answer) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Reference(*field.message_type(), answer);
      case FieldDescriptor::CPPTYPE_STRING:
        return {{"type", "string"}};
      case FieldDescriptor::CPPTYPE_BOOL:
        return {{"type", "boolean"}};
      case FieldDescriptor::CPPTYPE_ENUM:
        return Enum(*field.enum_type());
      case FieldDescriptor::CPPTYPE_INT32:
        return Integer<int32_t>();
      case FieldDescriptor::CPPTYPE_UINT32:
        return Integer<uint32_t>();
      case FieldDescriptor::CPPTYPE_INT64:
        return Long<int64_t>("-?", answer);
      case FieldDescriptor::CPPTYPE_UINT64:
        return Long<uint64_t>("", answer);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return {{"type", "number"},
                {"minimum", -std::numeric_limits<float>::max()},
                {"maximum", std::numeric_limits<float>::max()}};
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return {{"type", "number"}};
    }
    return {};
  }

  static Json Enum(const EnumDescriptor& type) {
    Json names = Json::array();
    for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
    return {{"type", "string"}, {"enum", names}};
  }

  template <class T>
  static Json Integer() {
    return {
        {"type", "integer"}, {"minimum", std::numeric_limits<T>::min()}, {"maximum", std::numeric_limits<T>::max()}};
  }

  /// Written as a string, since JSON's numbers have 53 bits in many places; taken as a number too. Not every number of
  /// 19 digits is one of 64 bits: requests are promised no more than 18.
  template <class T>
  static Json Long(const std::string& sign, bool answer) {
    const std::string digits = absl::StrCat("^", sign, "[0-9]{1,", answer ? 20 : 18, "}$");
    const Json text = {{"type", "string"}, {"pattern", digits}};
    return answer ? text : Json{{"oneOf", {Integer<T>(), text}}};
  }

  Json root_;
  std::set<std::string> known_;
};

class Errors final : public google::protobuf::compiler::MultiFileErrorCollector {
 public:
  void AddError(const std::string& file, int line, int, const std::string& message) override {
    std::cerr << file << ":" << line + 1 << ": " << message << "\n";
  }
};

int Main(const std::string& directory, const std::string& name, const std::string& version) {
  google::protobuf::compiler::DiskSourceTree tree;
  tree.MapPath("", directory);
  Errors errors;
  google::protobuf::compiler::Importer importer(&tree, &errors);
  Document document(version);
  const FileDescriptor* file = importer.Import(name);
  if (!file) return 1;
  for (int i = 0; i < file->service_count(); ++i) document.AddService(*file->service(i));
  std::cout << document.root().dump(1) << "\n";
  return std::cout.good() ? 0 : 1;
}

}  // namespace
}  // namespace bertha::server

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: generate_openapi PROTO_DIRECTORY PROTO VERSION\n";
    return 2;
  }
  return bertha::server::Main(argv[1], argv[2], argv[3]);
}
