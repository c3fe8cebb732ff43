// Protobuf messages as JSON schemas, out of their comments too.
//
// Source: JSON Schema 2020-12, as OpenAPI 3.1 has it; the JSON is that of server/proto_json.h. Thread-safety: none.
#ifndef BERTHA_SERVER_OPENAPI_MESSAGE_SCHEMAS_H_
#define BERTHA_SERVER_OPENAPI_MESSAGE_SCHEMAS_H_

#include <google/protobuf/descriptor.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "server/proto_json.h"

namespace bertha::server::openapi {

/// Members stay in the order in which they are written.
using Json = nlohmann::ordered_json;

inline constexpr char kJson[] = "application/json";

/// {"$ref": ...} of a schema of this document.
Json ReferenceTo(const std::string& schema);

/// {"content": {TYPE: {"schema": ...}}}, as bodies have it.
Json ContentOf(const std::string& type, const Json& schema);

/// The comment before a declaration, on one line per paragraph.
template <class D>
std::string CommentOf(const D& descriptor) {
  google::protobuf::SourceLocation location;
  if (!descriptor.GetSourceLocation(&location)) return "";
  const std::string text = absl::StrReplaceAll(location.leading_comments, {{"\n\n", "\v"}, {"\n \n", "\v"}});
  return std::string(absl::StripAsciiWhitespace(absl::StrReplaceAll(text, {{"\n", ""}, {"\v", "\n\n"}})));
}

/// The comment of a declaration as the description of what it became, if it has one.
template <class D>
void Describe(const D& descriptor, Json& object) {
  if (std::string comment = CommentOf(descriptor); !comment.empty()) object["description"] = comment;
}

class MessageSchemas {
 public:
  enum class Direction { kRequest, kAnswer };

  /// `schemas`, an object, gets a member for each message that is referred to; it outlives this. `integers`: how those
  /// of 64 bits are written.
  MessageSchemas(Json& schemas, Integers64 integers) : schemas_(schemas), integers_(integers) {}

  /// A reference to the schema of a message. Each direction has its own: an answer has all its fields, a request need
  /// not.
  Json Reference(const google::protobuf::Descriptor& type, Direction direction);

 private:
  Json Field(const google::protobuf::FieldDescriptor& field, Direction direction);
  Json Value(const google::protobuf::FieldDescriptor& field, Direction direction);
  template <class T>
  Json Long(const std::string& sign, Direction direction) const;

  Json& schemas_;
  const Integers64 integers_;
};

}  // namespace bertha::server::openapi

#endif  // BERTHA_SERVER_OPENAPI_MESSAGE_SCHEMAS_H_
