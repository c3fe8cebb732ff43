// Typed access to a JSON object that says where it is wrong: every error names the path, e.g. "$.padding.id".
//
// Use: read all known keys, then call Done(), which gives the first error, or names a key that nobody asked for.
// Thread-safety: none; a reader belongs to one function.
#ifndef BERTHA_MODELS_JSON_H_
#define BERTHA_MODELS_JSON_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace bertha::models {

/// Far more than any file of a package has. Parsing does not recurse, but users of the document may.
inline constexpr int kMaxJsonDepth = 64;
inline constexpr size_t kMaxJsonValues = 8'000'000;

/// Parses a document whose root is an object. INVALID_ARGUMENT with the byte position if it is not JSON; also if an
/// object has a key twice, or if it is beyond the limits above.
absl::StatusOr<nlohmann::json> ParseJsonObject(const std::string& text, size_t max_values = kMaxJsonValues);

/// Reads one object. What it says of foreign text is escaped and cut: an error stays one line.
class JsonReader {
 public:
  /// `object` outlives the reader. `path` names it in errors.
  explicit JsonReader(const nlohmann::json& object, std::string path = "$");

  std::string String(const std::string& key);
  int64_t Integer(const std::string& key, int64_t min, int64_t max);
  double Number(const std::string& key, double min, double max);
  bool Bool(const std::string& key, bool fallback);
  std::vector<std::string> Strings(const std::string& key);
  std::vector<int32_t> Ids(const std::string& key);
  std::vector<float> Floats(const std::string& key);
  /// The value of an optional key, or nullptr if it is absent or null.
  const nlohmann::json* Optional(const std::string& key);
  /// The value of a key that must be an object or a list.
  const nlohmann::json* Object(const std::string& key);
  const nlohmann::json* List(const std::string& key);

  /// Remembers an error of the caller's; the first one counts.
  void Fail(const std::string& key, const std::string& what);
  /// The same for what the reader of an inner object found, whose message has the path already; OK is none.
  void Fail(const absl::Status& status);
  absl::Status Done();
  /// What Done() would say if all keys were known.
  const absl::Status& first_error() const { return status_; }

 private:
  const nlohmann::json* Find(const std::string& key);

  const nlohmann::json& object_;
  const std::string path_;
  std::set<std::string> asked_;
  absl::Status status_;
};

}  // namespace bertha::models

#endif  // BERTHA_MODELS_JSON_H_
