#include "server/openapi/message_schemas.h"

#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"

namespace bertha::server::openapi {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

/// Those of bertha.v1 have their own names, others their package's too.
std::string NameOf(const Descriptor& type) {
  return type.file()->package() == "bertha.v1" ? type.name() : type.full_name();
}

Json Enum(const EnumDescriptor& type) {
  Json names = Json::array();
  for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return {{"type", "string"}, {"enum", names}};
}

template <class T>
Json Integer() {
  return {{"type", "integer"}, {"minimum", std::numeric_limits<T>::min()}, {"maximum", std::numeric_limits<T>::max()}};
}

}  // namespace

Json ReferenceTo(const std::string& schema) { return {{"$ref", absl::StrCat("#/components/schemas/", schema)}}; }

Json ContentOf(const std::string& type, const Json& schema) { return {{"content", {{type, {{"schema", schema}}}}}}; }

Json MessageSchemas::Reference(const Descriptor& type, Direction direction) {
  const bool answer = direction == Direction::kAnswer;
  const std::string name = absl::StrCat(NameOf(type), answer ? "" : ".in");
  if (schemas_.contains(name)) return ReferenceTo(name);
  schemas_[name] = Json::object();  // known from here on: messages may refer to themselves
  Json schema = {{"type", "object"}};
  Describe(type, schema);
  Json properties = Json::object(), required = Json::array();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    properties[field.name()] = Field(field, direction);
    if (!field.has_presence()) required.push_back(field.name());
  }
  schema["properties"] = properties;
  if (answer && !required.empty()) schema["required"] = required;
  if (!answer) schema["additionalProperties"] = false;
  schemas_[name] = schema;
  return ReferenceTo(name);
}

Json MessageSchemas::Field(const FieldDescriptor& field, Direction direction) {
  Json schema;
  if (field.is_map()) {
    schema = {{"type", "object"}, {"additionalProperties", Value(*field.message_type()->map_value(), direction)}};
  } else {
    schema = Value(field, direction);
    if (field.is_repeated()) schema = {{"type", "array"}, {"items", schema}};
  }
  Describe(field, schema);
  return schema;
}

Json MessageSchemas::Value(const FieldDescriptor& field, Direction direction) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Reference(*field.message_type(), direction);
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
      return Long<int64_t>("-?", direction);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Long<uint64_t>("", direction);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"},
              {"minimum", -std::numeric_limits<float>::max()},
              {"maximum", std::numeric_limits<float>::max()}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return {{"type", "number"}};
  }
  return {};
}

/// Where it is written as a string, since JSON's numbers have 53 bits in many places, it is taken as a number too. Not
/// every number of 19 digits is one of 64 bits: requests are promised no more than 18.
template <class T>
Json MessageSchemas::Long(const std::string& sign, Direction direction) const {
  if (integers_ == Integers64::kNumbers) return Integer<T>();
  const bool answer = direction == Direction::kAnswer;
  const Json text = {{"type", "string"}, {"pattern", absl::StrCat("^", sign, "[0-9]{1,", answer ? 20 : 18, "}$")}};
  return answer ? text : Json{{"oneOf", {Integer<T>(), text}}};
}

}  // namespace bertha::server::openapi
