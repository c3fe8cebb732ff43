// Messages as JSON, after protobuf's JSON mapping (https://protobuf.dev/programming-guides/json/), but strict: what a
// schema would refuse is refused, and every error names the place.
//
//   names       as in the proto, e.g. "top_k"; "topK" is taken as well
//   integers    of 64 bits: strings of decimal digits; integers are taken as well
//   enums       by name
//   written     every field, but for messages, optional fields and members of a oneof that are not set
//   not taken   null, strings for other numbers or booleans, fractions for integers, unknown or repeated keys
//
// Thread-safety: pure functions.
#ifndef BERTHA_SERVER_PROTO_JSON_H_
#define BERTHA_SERVER_PROTO_JSON_H_

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"

namespace bertha::server {

/// Fills `message`, which is empty. INVALID_ARGUMENT with the place, e.g. "inputs[2].text: expected a string".
absl::Status FromJson(const std::string& text, google::protobuf::Message& message);

/// How integers of 64 bits are written. Numbers above 2^53 are not what every reader takes them for.
enum class Integers64 { kStrings, kNumbers };

/// One line without its end. Strings must be UTF-8, as those of proto3 are. Maps are objects.
std::string ToJson(const google::protobuf::Message& message, Integers64 integers = Integers64::kStrings);

/// `text` with quotes around it, escaped.
void AppendJsonString(const std::string& text, std::string& out);
/// With as few digits as say the same number; it is finite.
void AppendJsonNumber(float number, std::string& out);

}  // namespace bertha::server

#endif  // BERTHA_SERVER_PROTO_JSON_H_
