#include "server/wire_text.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "bertha/v1/bertha.pb.h"
#include "tokenizer/utf8.h"

namespace bertha::server {
namespace {

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
  void Merge(const absl::Status& status) {
    if (status_.ok()) status_ = status;
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

void CheckInput(absl::string_view bytes, const std::string& path, Complaint& complaint) {
  ForEachField(
      bytes,
      [&](int field, absl::string_view content) {
        if (field == v1::TextInput::kTextFieldNumber) complaint.CheckText(path + ".text", content);
        if (field == v1::TextInput::kTextPairFieldNumber) complaint.CheckText(path + ".text_pair", content);
      },
      [](int, uint64_t) {});
}

}  // namespace

absl::Status ExplainClassifyRequest(absl::string_view bytes, absl::string_view path) {
  Complaint complaint;
  int index = 0;
  const bool well_formed = ForEachField(
      bytes,
      [&](int field, absl::string_view content) {
        if (field == v1::ClassifyRequest::kModelFieldNumber) complaint.CheckText(absl::StrCat(path, "model"), content);
        if (field == v1::ClassifyRequest::kInputsFieldNumber) {
          CheckInput(content, absl::StrCat(path, "inputs[", index++, "]"), complaint);
        }
      },
      [](int, uint64_t) {});
  return complaint.OrMalformed(well_formed);
}

absl::Status ExplainStreamClassifyRequest(absl::string_view bytes, uint64_t& id) {
  id = 0;
  Complaint complaint;
  const bool well_formed = ForEachField(
      bytes,
      [&](int field, absl::string_view content) {
        if (field == v1::StreamClassifyRequest::kRequestFieldNumber) {
          complaint.Merge(ExplainClassifyRequest(content, "request."));
        }
      },
      [&](int field, uint64_t value) {
        if (field == v1::StreamClassifyRequest::kIdFieldNumber) id = value;
      });
  return complaint.OrMalformed(well_formed);
}

}  // namespace bertha::server
