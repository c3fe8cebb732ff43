#include "tokenizer/tokenizer_config.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tokenizer/source_file.h"
#include "tokenizer/status_macros.h"

namespace bertha::tokenizer {
namespace {

/// Settings that change the ids in ways which this library does not follow from a vocabulary alone, and the value that
/// changes nothing.
constexpr std::pair<const char*, bool> kFixed[] = {
    {"do_basic_tokenize", true}, {"split_special_tokens", false}, {"add_bos_token", false}, {"add_eos_token", false}};

std::string In(const std::string& folder, const char* name) { return (std::filesystem::path(folder) / name).string(); }

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

/// Names the file in an error about its JSON.
absl::Status Named(const std::string& path, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

absl::StatusOr<JsonDocument> ReadDocument(const std::string& path) {
  TOKENIZER_ASSIGN_OR_RETURN(const SourceFile file, SourceFile::Read(path));
  absl::StatusOr<JsonDocument> document = JsonDocument::Parse(file.content);
  if (!document.ok()) return Named(path, document.status());
  if (!document->root().is_object()) return Named(path, document->root().Invalid("must be an object"));
  return document;
}

absl::Status CheckFixed(const JsonValue& json) {
  for (const auto& [key, value] : kFixed) {
    const auto member = json.Find(key);
    if (!member) continue;
    bool said = value;
    TOKENIZER_RETURN_IF_ERROR(json.Read(key, &said));
    if (said == value) continue;
    return member->Unknown(absl::StrCat("only ", value ? "true" : "false", " is supported without a tokenizer.json"));
  }
  return absl::OkStatus();
}

/// A special token is its text, or an object with its text and its flags.
absl::StatusOr<std::string> TextOf(const JsonValue& json) {
  if (!json.is_object()) return json.AsString();
  std::string content;
  TOKENIZER_RETURN_IF_ERROR(json.Read("content", &content));
  return content;
}

}  // namespace

absl::StatusOr<TokenizerConfig> TokenizerConfig::Read(const std::string& folder) {
  TokenizerConfig config;
  config.folder_ = folder;
  if (Exists(config.file())) {
    TOKENIZER_ASSIGN_OR_RETURN(config.settings_, ReadDocument(config.file()));
    TOKENIZER_RETURN_IF_ERROR(Named(config.file(), config.ReadSettings()));
  }
  if (config.added_tokens_) return config;  // Where there is this list, the older files do not count.
  if (const std::string file = In(folder, "special_tokens_map.json"); Exists(file)) {
    TOKENIZER_ASSIGN_OR_RETURN(const JsonDocument document, ReadDocument(file));
    TOKENIZER_RETURN_IF_ERROR(Named(file, config.ReadSpecials(file, document.root())));
  }
  if (const std::string file = In(folder, "added_tokens.json"); Exists(file)) {
    TOKENIZER_RETURN_IF_ERROR(config.ReadOthers(file));
  }
  return config;
}

std::string TokenizerConfig::file() const { return In(folder_, "tokenizer_config.json"); }

absl::Status TokenizerConfig::ReadSettings() {
  const JsonValue json = settings_->root();
  if (const auto value = json.Find("tokenizer_class")) {
    TOKENIZER_ASSIGN_OR_RETURN(tokenizer_class_, value->AsString());
    tokenizer_class_ = std::string(absl::StripSuffix(tokenizer_class_, "Fast"));
  }
  TOKENIZER_RETURN_IF_ERROR(CheckFixed(json));
  TOKENIZER_RETURN_IF_ERROR(ReadSpecials(file(), json));
  if (const auto decoder = json.Find("added_tokens_decoder")) return ReadAddedTokens(*decoder);
  return absl::OkStatus();
}

absl::Status TokenizerConfig::ReadSpecials(const std::string& file, const JsonValue& json) {
  return json.ForEachMember([&](const std::string& key, const JsonValue& value) -> absl::Status {
    if (value.is_null()) return absl::OkStatus();
    if (key == "additional_special_tokens") {
      return value.ForEachElement([&](const JsonValue& token) -> absl::Status {
        TOKENIZER_ASSIGN_OR_RETURN(const std::string text, TextOf(token));
        other_tokens_.push_back({text, file});
        return absl::OkStatus();
      });
    }
    const bool is_role = absl::EndsWith(key, "_token") && (value.is_string() || value.is_object());
    if (!is_role) return absl::OkStatus();
    TOKENIZER_ASSIGN_OR_RETURN(const std::string text, TextOf(value));
    specials_[key] = {text, file};
    return absl::OkStatus();
  });
}

absl::Status TokenizerConfig::ReadOthers(const std::string& file) {
  TOKENIZER_ASSIGN_OR_RETURN(const JsonDocument document, ReadDocument(file));
  return document.root().ForEachMember([&](const std::string& token, const JsonValue&) -> absl::Status {
    other_tokens_.push_back({token, file});
    return absl::OkStatus();
  });
}

absl::Status TokenizerConfig::ReadAddedTokens(const JsonValue& json) {
  std::vector<AddedToken> tokens;
  TOKENIZER_RETURN_IF_ERROR(json.ForEachMember([&](const std::string& id, const JsonValue& value) -> absl::Status {
    AddedToken token;
    if (!absl::SimpleAtoi(id, &token.id) || token.id < 0) return value.Invalid("the key must be a token id");
    TOKENIZER_RETURN_IF_ERROR(value.Read("content", &token.content));
    TOKENIZER_RETURN_IF_ERROR(value.Read("single_word", &token.single_word));
    TOKENIZER_RETURN_IF_ERROR(value.Read("lstrip", &token.lstrip));
    TOKENIZER_RETURN_IF_ERROR(value.Read("rstrip", &token.rstrip));
    TOKENIZER_RETURN_IF_ERROR(value.Read("normalized", &token.normalized));
    TOKENIZER_RETURN_IF_ERROR(value.Read("special", &token.special));
    tokens.push_back(std::move(token));
    return absl::OkStatus();
  }));
  std::sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  added_tokens_ = std::move(tokens);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<bool>> TokenizerConfig::Flag(absl::string_view key) const {
  if (!settings_ || !settings_->root().Find(key)) return std::nullopt;
  bool value = false;
  TOKENIZER_RETURN_IF_ERROR(Named(file(), settings_->root().Read(key, &value)));
  return value;
}

}  // namespace bertha::tokenizer
