#include "clients/cli/question_line.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/json.h"

namespace bertha::cli {

absl::Status ParseQuestionLine(Input& input) {
  // The parser takes a NUL for the end of its input.
  const bool has_nul = input.text.find('\0') != std::string::npos;
  Json json = has_nul ? Json() : Json::parse(input.text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        R"(the line must be a JSON object such as {"question": "...", "context": "..."})");
  }
  for (const char* key : {"question", "context"}) {
    const auto found = json.find(key);
    if (found == json.end()) return absl::InvalidArgumentError(absl::StrCat(key, " is missing"));
    if (!found->is_string()) return absl::InvalidArgumentError(absl::StrCat(key, " must be a string"));
  }
  input.text = std::move(json["question"].get_ref<std::string&>());
  input.pair = std::move(json["context"].get_ref<std::string&>());
  return absl::OkStatus();
}

}  // namespace bertha::cli
