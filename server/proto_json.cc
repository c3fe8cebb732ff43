#include "server/proto_json.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "models/json.h"
#include "nlohmann/json.hpp"
#include "tokenizer/json_reader.h"

namespace bertha::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::json;

/// Values of a request besides its texts; a body of so many is some MB.
constexpr size_t kMostValues = 1'000'000;

absl::Status Expected(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": expected ", what));
}

const FieldDescriptor* FindField(const Descriptor& type, const std::string& name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field ? field : type.FindFieldByCamelcaseName(name);
}

template <class Integer>
bool ReadInteger(const json& value, Integer& out) {
  if (value.is_number_integer()) {
    const bool fits = value.is_number_unsigned() ? std::in_range<Integer>(value.get<uint64_t>())
                                                 : std::in_range<Integer>(value.get<int64_t>());
    if (fits) out = value.get<Integer>();
    return fits;
  }
  if (sizeof(Integer) != 8 || !value.is_string()) return false;
  const auto& digits = value.get_ref<const std::string&>();  // and nothing else
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, out);
  return error == std::errc() && rest == end;
}

class Reader {
 public:
  absl::Status Object(const json& object, const std::string& path, Message& message) {
    if (!object.is_object()) return Expected(path, "an object");
    for (const auto& item : object.items()) {
      const std::string place = absl::StrCat(path, path.empty() ? "" : ".", item.key());
      const FieldDescriptor* field = FindField(*message.GetDescriptor(), item.key());
      if (!field) {
        return absl::InvalidArgumentError(absl::StrCat(path, path.empty() ? "" : ".", tokenizer::Quoted(item.key()),
                                                       ": unknown field of ", message.GetDescriptor()->name()));
      }
      if (absl::Status status = CheckOnce(*field, place, message); !status.ok()) return status;
      if (absl::Status status = Field(item.value(), *field, place, message); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  /// The same field under both of its names, or two members of a oneof.
  static absl::Status CheckOnce(const FieldDescriptor& field, const std::string& path, const Message& message) {
    const Reflection& reflection = *message.GetReflection();
    const auto* oneof = field.real_containing_oneof();
    const bool seen = field.is_repeated() ? reflection.FieldSize(message, &field) > 0
                      : oneof             ? reflection.HasOneof(message, oneof)
                                          : reflection.HasField(message, &field);
    return seen ? absl::InvalidArgumentError(absl::StrCat(path, ": is set twice")) : absl::OkStatus();
  }

  absl::Status Field(const json& value, const FieldDescriptor& field, const std::string& path, Message& message) {
    if (!field.is_repeated()) return Value(value, field, path, message);
    if (!value.is_array()) return Expected(path, "a list");
    for (size_t i = 0; i < value.size(); ++i) {
      if (absl::Status status = Value(value[i], field, absl::StrCat(path, "[", i, "]"), message); !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Value(const json& value, const FieldDescriptor& field, const std::string& path, Message& message) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Object(value, path,
                      field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                          : *reflection.MutableMessage(&message, &field));
      case FieldDescriptor::CPPTYPE_STRING:
        if (!value.is_string()) return Expected(path, "a string");
        field.is_repeated() ? reflection.AddString(&message, &field, value.get<std::string>())
                            : reflection.SetString(&message, &field, value.get<std::string>());
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_BOOL:
        if (!value.is_boolean()) return Expected(path, "true or false");
        field.is_repeated() ? reflection.AddBool(&message, &field, value.get<bool>())
                            : reflection.SetBool(&message, &field, value.get<bool>());
        return absl::OkStatus();
      case FieldDescriptor::CPPTYPE_ENUM:
        return Enum(value, field, path, message);
      case FieldDescriptor::CPPTYPE_INT32:
        return Integer<int32_t>(value, path, [&](int32_t number) {
          field.is_repeated() ? reflection.AddInt32(&message, &field, number)
                              : reflection.SetInt32(&message, &field, number);
        });
      case FieldDescriptor::CPPTYPE_UINT32:
        return Integer<uint32_t>(value, path, [&](uint32_t number) {
          field.is_repeated() ? reflection.AddUInt32(&message, &field, number)
                              : reflection.SetUInt32(&message, &field, number);
        });
      case FieldDescriptor::CPPTYPE_INT64:
        return Integer<int64_t>(value, path, [&](int64_t number) {
          field.is_repeated() ? reflection.AddInt64(&message, &field, number)
                              : reflection.SetInt64(&message, &field, number);
        });
      case FieldDescriptor::CPPTYPE_UINT64:
        return Integer<uint64_t>(value, path, [&](uint64_t number) {
          field.is_repeated() ? reflection.AddUInt64(&message, &field, number)
                              : reflection.SetUInt64(&message, &field, number);
        });
      case FieldDescriptor::CPPTYPE_FLOAT:
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Float(value, field, path, message);
    }
    return absl::InternalError("a type of field that JSON cannot hold");
  }

  static absl::Status Enum(const json& value, const FieldDescriptor& field, const std::string& path, Message& message) {
    const EnumValueDescriptor* named =
        value.is_string() ? field.enum_type()->FindValueByName(value.get<std::string>()) : nullptr;
    if (!named) {
      return Expected(path, absl::StrCat("the name of a ", field.enum_type()->name(), ", such as \"",
                                         field.enum_type()->value(field.enum_type()->value_count() - 1)->name(), "\""));
    }
    field.is_repeated() ? message.GetReflection()->AddEnum(&message, &field, named)
                        : message.GetReflection()->SetEnum(&message, &field, named);
    return absl::OkStatus();
  }

  template <class Number, class Set>
  static absl::Status Integer(const json& value, const std::string& path, Set set) {
    Number number = 0;
    if (!ReadInteger(value, number)) {
      return Expected(path, absl::StrCat("an integer from ", std::numeric_limits<Number>::min(), " to ",
                                         std::numeric_limits<Number>::max()));
    }
    set(number);
    return absl::OkStatus();
  }

  static absl::Status Float(const json& value, const FieldDescriptor& field, const std::string& path,
                            Message& message) {
    const Reflection& reflection = *message.GetReflection();
    const double number = value.is_number() ? value.get<double>() : NAN;
    const bool single = field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
    const double limit = single ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
    if (!(std::abs(number) <= limit)) return Expected(path, absl::StrCat("a number of at most ", limit));
    if (single) {
      const auto narrow = static_cast<float>(number);
      field.is_repeated() ? reflection.AddFloat(&message, &field, narrow)
                          : reflection.SetFloat(&message, &field, narrow);
    } else {
      field.is_repeated() ? reflection.AddDouble(&message, &field, number)
                          : reflection.SetDouble(&message, &field, number);
    }
    return absl::OkStatus();
  }
};

class Writer {
 public:
  Writer(std::string& out, Integers64 integers) : out_(out), integers_(integers) {}

  void Object(const Message& message) {
    const Descriptor& type = *message.GetDescriptor();
    char separator = '{';
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) continue;
      out_ += separator;
      separator = ',';
      absl::StrAppend(&out_, "\"", field.name(), "\":");
      field.is_map() ? Map(message, field) : field.is_repeated() ? List(message, field) : Value(message, field, -1);
    }
    if (separator == '{') out_ += '{';
    out_ += '}';
  }

 private:
  void List(const Message& message, const FieldDescriptor& field) {
    out_ += '[';
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_ += ',';
      Value(message, field, i);
    }
    out_ += ']';
  }

  /// Of strings to anything.
  void Map(const Message& message, const FieldDescriptor& field) {
    const FieldDescriptor &key = *field.message_type()->map_key(), &value = *field.message_type()->map_value();
    out_ += '{';
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_ += ',';
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      Value(entry, key, -1);
      out_ += ':';
      Value(entry, value, -1);
    }
    out_ += '}';
  }

  /// `index` is -1 for a field that is not repeated.
  void Value(const Message& message, const FieldDescriptor& field, int index) {
    const Reflection& r = *message.GetReflection();
    const bool one = index < 0;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Object(one ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index));
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        return AppendJsonString(one ? r.GetStringReference(message, &field, &scratch)
                                    : r.GetRepeatedStringReference(message, &field, index, &scratch),
                                out_);
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        out_ += (one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index)) ? "true" : "false";
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        return Enum(*field.enum_type(),
                    one ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index));
      case FieldDescriptor::CPPTYPE_INT32:
        return Number(one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index));
      case FieldDescriptor::CPPTYPE_UINT32:
        return Number(one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index));
      case FieldDescriptor::CPPTYPE_INT64:
        return Wide(one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Wide(one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return Number(one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return Number(one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index));
    }
  }

  /// With as few digits as say the same number.
  template <class T>
  void Number(T number) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(number)) {  // as the mapping wants it; JSON has no such numbers
        out_ += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        return;
      }
    }
    char digits[32];
    out_.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  }

  template <class T>
  void Wide(T number) {
    if (integers_ == Integers64::kNumbers) return Number(number);
    out_ += '"';
    Number(number);
    out_ += '"';
  }

  void Enum(const google::protobuf::EnumDescriptor& type, int number) {
    const EnumValueDescriptor* value = type.FindValueByNumber(number);
    value ? absl::StrAppend(&out_, "\"", value->name(), "\"") : Number(number);
  }

  std::string& out_;
  const Integers64 integers_;
};

}  // namespace

absl::Status FromJson(const std::string& text, Message& message) {
  absl::StatusOr<json> document = models::ParseJsonObject(text, kMostValues);
  if (!document.ok()) return document.status();
  return Reader().Object(*document, "", message);
}

std::string ToJson(const Message& message, Integers64 integers) {
  std::string out;
  Writer(out, integers).Object(message);
  return out;
}

void AppendJsonNumber(float number, std::string& out) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
}

void AppendJsonString(const std::string& text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  size_t plain = 0;  // what needs no escape is copied in one piece
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '\\';
    if (c == '"' || c == '\\') {
      out += text[i];
    } else {
      out += c == '\n' ? "n" : c == '\t' ? "t" : c == '\r' ? "r" : "u00";
      if (c != '\n' && c != '\t' && c != '\r') (out += kHex[c >> 4]) += kHex[c & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

}  // namespace bertha::server
