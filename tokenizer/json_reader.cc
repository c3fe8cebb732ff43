#include "tokenizer/json_reader.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tokenizer/json_number.h"
#include "tokenizer/status_macros.h"
#include "tokenizer/utf8.h"

namespace bertha::tokenizer {
namespace {

using Json = nlohmann::json;

std::string Bracketed(absl::string_view key) { return absl::StrCat("[", Quoted(key), "]"); }

/// Builds the document from the parser's events, which come without recursion, so that depth costs no stack.
class DocumentBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit DocumentBuilder(Json* root) : root_(root) {}

  const absl::Status& status() const { return status_; }

  bool null() override { return Add(nullptr) != nullptr; }
  bool boolean(bool value) override { return Add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Add(value) != nullptr; }
  bool number_float(number_float_t, const string_t& text) override {
    const double value = JsonNumber(text);
    return std::isfinite(value) ? Add(value) != nullptr : Fail("number out of range");
  }
  bool string(string_t& value) override { return Add(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return Fail("binary value"); }
  bool start_object(size_t) override { return Open(Json::object()); }
  bool start_array(size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& key) override {
    Frame& frame = frames_.back();
    frame.key = std::move(key);
    return !frame.container->contains(frame.key) || Fail("duplicate key");
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    constexpr int kNumberOutOfRange = 406;
    if (error.id == kNumberOutOfRange) return Fail(absl::StrCat("number out of range before byte ", position));
    return Fail(absl::StrCat("not valid JSON at byte ", position == 0 ? 0 : position - 1));
  }

 private:
  struct Frame {
    Json* container;
    std::string key;
  };

  Json* Add(Json value) {
    if (frames_.empty()) {
      *root_ = std::move(value);
      return root_;
    }
    Frame& frame = frames_.back();
    if (frame.container->is_array()) {
      frame.container->push_back(std::move(value));
      return &frame.container->back();
    }
    return &((*frame.container)[frame.key] = std::move(value));
  }

  bool Open(Json container) {
    if (frames_.size() == JsonDocument::kMaxDepth) {
      return Fail(absl::StrCat("nested deeper than ", JsonDocument::kMaxDepth, " levels"));
    }
    Json* added = Add(std::move(container));
    frames_.push_back({added, ""});
    return true;
  }

  bool Close() {
    frames_.pop_back();
    return true;
  }

  bool Fail(absl::string_view what) {
    status_ = absl::InvalidArgumentError(absl::StrCat(Path(), ": ", what));
    return false;
  }

  std::string Path() const {
    std::string path = "$";
    for (const Frame& frame : frames_) {
      if (frame.container->is_array()) {
        // An outer array has its open element already; the innermost is about to get its next.
        const bool innermost = &frame == &frames_.back();
        absl::StrAppend(&path, "[", frame.container->size() - (innermost ? 0 : 1), "]");
      } else if (!frame.key.empty()) {
        path += Bracketed(frame.key);
      }
    }
    return path;
  }

  Json* root_;
  std::vector<Frame> frames_;
  absl::Status status_;
};

}  // namespace

std::string Quoted(absl::string_view text) {
  constexpr size_t kLongest = 80;
  if (text.size() <= kLongest) return absl::StrCat("\"", absl::Utf8SafeCHexEscape(text), "\"");
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(Utf8Prefix(text, kLongest)), "...\" (", text.size(), " bytes)");
}

bool JsonValue::is_null() const { return node_->is_null(); }
bool JsonValue::is_object() const { return node_->is_object(); }
bool JsonValue::is_string() const { return node_->is_string(); }

absl::Status JsonValue::Invalid(absl::string_view what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", what));
}

absl::Status JsonValue::Unknown(absl::string_view what) const {
  return absl::UnimplementedError(absl::StrCat(path_, ": ", what));
}

absl::StatusOr<JsonValue> JsonValue::Get(absl::string_view key) const {
  if (!node_->is_object()) return Invalid(absl::StrCat("must be an object, is ", node_->type_name()));
  const auto found = node_->find(std::string(key));
  if (found == node_->end()) return Invalid(absl::StrCat("member ", Quoted(key), " is missing"));
  return JsonValue(&*found, absl::StrCat(path_, ".", key));
}

std::optional<JsonValue> JsonValue::Find(absl::string_view key) const {
  if (!node_->is_object()) return std::nullopt;
  const auto found = node_->find(std::string(key));
  if (found == node_->end() || found->is_null()) return std::nullopt;
  return JsonValue(&*found, absl::StrCat(path_, ".", key));
}

absl::Status JsonValue::Read(absl::string_view key, bool* out) const {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, Get(key));
  if (!member.node_->is_boolean()) {
    return member.Invalid(absl::StrCat("must be true or false, is ", member.node_->type_name()));
  }
  *out = *member.node_->get_ptr<const Json::boolean_t*>();
  return absl::OkStatus();
}

absl::Status JsonValue::Read(absl::string_view key, std::string* out) const {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, Get(key));
  TOKENIZER_ASSIGN_OR_RETURN(*out, member.AsString());
  return absl::OkStatus();
}

absl::Status JsonValue::Read(absl::string_view key, size_t* out) const {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, Get(key));
  TOKENIZER_ASSIGN_OR_RETURN(*out, member.AsSize());
  return absl::OkStatus();
}

absl::Status JsonValue::ReadId(absl::string_view key, int32_t* out) const {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonValue member, Get(key));
  TOKENIZER_ASSIGN_OR_RETURN(*out, member.AsId());
  return absl::OkStatus();
}

absl::StatusOr<std::string> JsonValue::AsString() const {
  if (!node_->is_string()) return Invalid(absl::StrCat("must be a string, is ", node_->type_name()));
  return *node_->get_ptr<const Json::string_t*>();
}

absl::StatusOr<double> JsonValue::AsNumber() const {
  if (!node_->is_number()) return Invalid(absl::StrCat("must be a number, is ", node_->type_name()));
  return node_->get<double>();
}

absl::StatusOr<size_t> JsonValue::AsSize() const {
  if (!node_->is_number_unsigned()) {
    std::string found = node_->is_number() ? node_->dump() : std::string(node_->type_name());
    if (found == "0") found = "-0";  // the only zero that is signed
    return Invalid(absl::StrCat("must be an integer from 0 up, is ", found));
  }
  return *node_->get_ptr<const Json::number_unsigned_t*>();
}

absl::StatusOr<int32_t> JsonValue::AsId() const {
  TOKENIZER_ASSIGN_OR_RETURN(const size_t number, AsSize());
  if (number > std::numeric_limits<int32_t>::max()) {
    return Invalid(absl::StrCat(number, " is too large for a token id"));
  }
  return static_cast<int32_t>(number);
}

absl::StatusOr<std::vector<JsonValue>> JsonValue::AsTuple(size_t size) const {
  if (!node_->is_array() || node_->size() != size) {
    return Invalid(absl::StrCat("must be an array of ", size, ", is ", node_->is_array() ? "one of " : "",
                                node_->is_array() ? absl::StrCat(node_->size()) : std::string(node_->type_name())));
  }
  std::vector<JsonValue> elements;
  for (const Json& node : *node_) elements.emplace_back(&node, absl::StrCat(path_, "[", elements.size(), "]"));
  return elements;
}

absl::Status JsonValue::ForEachMember(
    const std::function<absl::Status(const std::string& key, const JsonValue&)>& visit) const {
  if (!node_->is_object()) return Invalid(absl::StrCat("must be an object, is ", node_->type_name()));
  for (const auto& [key, node] : *node_->get_ptr<const Json::object_t*>()) {
    TOKENIZER_RETURN_IF_ERROR(visit(key, JsonValue(&node, path_ + Bracketed(key))));
  }
  return absl::OkStatus();
}

absl::Status JsonValue::ForEachElement(const std::function<absl::Status(const JsonValue&)>& visit) const {
  if (!node_->is_array()) return Invalid(absl::StrCat("must be an array, is ", node_->type_name()));
  size_t index = 0;
  for (const Json& node : *node_) {
    TOKENIZER_RETURN_IF_ERROR(visit(JsonValue(&node, absl::StrCat(path_, "[", index++, "]"))));
  }
  return absl::OkStatus();
}

JsonDocument::JsonDocument(std::unique_ptr<Json> root) : root_(std::move(root)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

absl::StatusOr<JsonDocument> JsonDocument::Parse(absl::string_view text) {
  if (text.size() > kMaxSize) {
    return absl::InvalidArgumentError(absl::StrCat("$: has ", text.size(), " bytes; the limit is ", kMaxSize));
  }
  auto root = std::make_unique<Json>();
  DocumentBuilder builder(root.get());
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return builder.status();
  return JsonDocument(std::move(root));
}

}  // namespace bertha::tokenizer
