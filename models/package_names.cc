#include "models/package_names.h"

#include <algorithm>
#include <cctype>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace bertha::models {

bool IsModelName(const std::string& name) {
  auto word = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 128 && std::isalnum(static_cast<unsigned char>(name[0])) &&
         std::ranges::all_of(name, word);
}

std::optional<int64_t> ParseVersion(const std::string& text) {
  int64_t version = 0;
  // SimpleAtoi alone would take spaces and a sign: "1" and "1 " would be the same version.
  if (text.empty() || text[0] == '0' || !std::ranges::all_of(text, absl::ascii_isdigit)) return std::nullopt;
  if (!absl::SimpleAtoi(text, &version)) return std::nullopt;
  return version;
}

}  // namespace bertha::models
