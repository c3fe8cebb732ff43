#include "server/wire_text.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <functional>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "bertha/v1/bertha.pb.h"
#include "tokenizer/utf8.h"

namespace bertha::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

/// Calls `on_bytes(field, content)` for each length-delimited field and `on_varint(field, value)` for each number.
/// False if the bytes are no protobuf message.
bool ForEachField(absl::string_view bytes, const std::function<void(int, absl::string_view)>& on_bytes,
                  const std::function<void(int, uint64_t)>& on_varint) {
  CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  while (const uint32_t tag = input.ReadTag()) {
    const int field = WireFormatLite::GetTagFieldNumber(tag);
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        uint32_t length = 0;
        if (!input.ReadVarint32(&length)) return false;
        const auto at = static_cast<size_t>(input.CurrentPosition());
        if (length > bytes.size() - at) return false;
        on_bytes(field, bytes.substr(at, length));
        if (!input.Skip(static_cast<int>(length))) return false;
        break;
      }
      case WireFormatLite::WIRETYPE_VARINT: {
        uint64_t value = 0;
        if (!input.ReadVarint64(&value)) return false;
        on_varint(field, value);
        break;
      }
      default:
        if (!WireFormatLite::SkipField(&input, tag)) return false;
    }
  }
  return input.ConsumedEntireMessage();
}

/// The first complaint wins.
class Complaint {
 public:
  void CheckText(const std::string& path, absl::string_view text) {
    if (!status_.ok()) return;
    if (const size_t bad = tokenizer::FindInvalidUtf8(text); bad != absl::string_view::npos) {
      status_ = absl::InvalidArgumentError(absl::StrCat(path, ": invalid UTF-8 at byte ", bad));
    }
  }
  absl::Status OrMalformed(bool well_formed) const {
    if (!status_.ok()) return status_;
    return absl::InvalidArgumentError(
        well_formed ? "the message cannot be decoded: a field has the wrong type"
                    : "the message cannot be decoded: it is no protobuf message, or it was cut off");
  }

 private:
  absl::Status status_;
};

/// Looks at the strings of a message and of those within it. False if the bytes are no protobuf message. Messages of
/// bertha.v1 do not contain themselves, so that the depth is bounded.
bool CheckMessage(const Descriptor& type, absl::string_view bytes, const std::string& path, Complaint& complaint) {
  std::map<int, int> seen;  // of repeated fields
  bool well_formed = true;
  const bool complete = ForEachField(
      bytes,
      [&](int number, absl::string_view content) {
        const FieldDescriptor* field = type.FindFieldByNumber(number);
        if (field == nullptr) return;
        std::string name = path + field->name();
        if (field->is_repeated()) absl::StrAppend(&name, "[", seen[number]++, "]");
        if (field->type() == FieldDescriptor::TYPE_STRING) complaint.CheckText(name, content);
        if (field->type() != FieldDescriptor::TYPE_MESSAGE) return;
        if (!CheckMessage(*field->message_type(), content, name + ".", complaint)) well_formed = false;
      },
      [](int, uint64_t) {});
  return complete && well_formed;
}

}  // namespace

absl::Status ExplainUndecodable(const Descriptor& type, absl::string_view bytes) {
  Complaint complaint;
  const bool well_formed = CheckMessage(type, bytes, "", complaint);
  return complaint.OrMalformed(well_formed);
}

uint64_t IdOfUndecodable(absl::string_view bytes) {
  uint64_t id = 0;
  ForEachField(
      bytes, [](int, absl::string_view) {},
      [&](int field, uint64_t value) {
        if (field == v1::StreamClassifyRequest::kIdFieldNumber) id = value;
      });
  return id;
}

}  // namespace bertha::server
