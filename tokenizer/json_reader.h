// Reading untrusted JSON: every error names the place in the document, nothing throws, nesting is bounded.
//
// Thread-safety: immutable once parsed. A JsonValue points into its JsonDocument, which must outlive it.
// Invariants: objects have no duplicate keys (the JSON standard leaves their meaning open, RFC 8259 section 4), strings
// are UTF-8, and nesting is at most JsonDocument::kMaxDepth deep. Documents beyond JsonDocument::kMaxSize are refused
// unread, so that memory is bounded. Numbers with a fraction or an exponent have the value that the reference library
// reads (see json_number.h), which is not always the nearest one.
#ifndef BERTHA_TOKENIZER_JSON_READER_H_
#define BERTHA_TOKENIZER_JSON_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bertha::tokenizer {

/// One value and its path, such as `$.model.vocab["foo"]`. The Read functions take the name of a required member and
/// fail with INVALID_ARGUMENT if it is absent or of another type.
class JsonValue {
 public:
  JsonValue(const nlohmann::json* node, std::string path) : node_(node), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  bool is_null() const;
  bool is_object() const;
  bool is_string() const;

  /// INVALID_ARGUMENT or UNIMPLEMENTED whose message starts with the path.
  absl::Status Invalid(absl::string_view what) const;
  absl::Status Unknown(absl::string_view what) const;

  /// A required member of an object.
  absl::StatusOr<JsonValue> Get(absl::string_view key) const;
  /// A member, or nullopt if it is absent or null. Also nullopt if this is no object.
  std::optional<JsonValue> Find(absl::string_view key) const;

  absl::Status Read(absl::string_view key, bool* out) const;
  absl::Status Read(absl::string_view key, std::string* out) const;
  absl::Status Read(absl::string_view key, size_t* out) const;
  /// A token id: 0 up to the largest int32_t.
  absl::Status ReadId(absl::string_view key, int32_t* out) const;

  absl::StatusOr<std::string> AsString() const;
  absl::StatusOr<double> AsNumber() const;
  absl::StatusOr<size_t> AsSize() const;
  absl::StatusOr<int32_t> AsId() const;
  /// An array of this many elements.
  absl::StatusOr<std::vector<JsonValue>> AsTuple(size_t size) const;

  /// Calls `visit` for each member in the byte order of the keys, or for each element; stops at the first error.
  absl::Status ForEachMember(const std::function<absl::Status(const std::string& key, const JsonValue&)>& visit) const;
  absl::Status ForEachElement(const std::function<absl::Status(const JsonValue&)>& visit) const;

 private:
  const nlohmann::json* node_;
  std::string path_;
};

class JsonDocument {
 public:
  static constexpr size_t kMaxDepth = 64;
  /// In bytes; twice the largest tokenizer.json that is published.
  static constexpr size_t kMaxSize = size_t{64} << 20;

  static absl::StatusOr<JsonDocument> Parse(absl::string_view text);

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonValue root() const { return JsonValue(root_.get(), "$"); }

 private:
  explicit JsonDocument(std::unique_ptr<nlohmann::json> root);

  std::unique_ptr<nlohmann::json> root_;
};

/// Text in quotes for a message: escaped, and shortened if it is long.
std::string Quoted(absl::string_view text);

}  // namespace bertha::tokenizer

#endif  // BERTHA_TOKENIZER_JSON_READER_H_
